"""Warehouses other than DuckDB: the models' one definition, in what each of them understands."""
