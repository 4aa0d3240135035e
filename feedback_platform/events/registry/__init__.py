"""The schema registry: subjects, versions and ids, kept as a log in the lake."""
