"""The dashboard: charts over the published tables, in a browser.

`data` asks the tables and returns frames, `charts` makes pictures of frames, and `pages` puts both
on a page. Only `pages`, `app` and `launch` know Streamlit; only `snapshot` opens the database.
"""
