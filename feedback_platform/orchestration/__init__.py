"""The only package that imports Dagster: assets, checks, jobs, sensors, schedules, resources.

Everything here is glue: read through a resource, call the package that knows, report what a person
wants to see.
"""
