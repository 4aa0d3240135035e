"""The warehouse: one DuckDB file that the pipeline writes, and the published copy that others read.

`connection` opens it, one process at a time; `loading` brings in what is new from the lake;
`transformation` runs dbt; `publishing` makes the result visible; `published` reads it.
"""
