"""The script that Streamlit runs.

It lies in a directory of its own, which Streamlit puts in front of the path of modules.
"""
