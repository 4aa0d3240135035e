"""Programs that run as Spark jobs of their own, and report to Dagster without importing it.

What they do, the stages know; here are the entry points alone.
"""
