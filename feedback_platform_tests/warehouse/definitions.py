"""What is defined in a database, to be compared with another's."""

from __future__ import annotations

import re
from typing import Any

import duckdb

# Keys are kept by triggers.
_DEFINED = """
select 'table', schema_name, table_name, sql from duckdb_tables()
union all select 'view', schema_name, view_name, sql from duckdb_views() where not internal
union all select 'macro', schema_name, function_name, macro_definition from duckdb_functions()
    where not internal
union all select 'trigger', schema_name, trigger_name, sql from duckdb_triggers()
order by all
"""
_EXCLUDED = re.compile(r"EXCLUDE \(([^)]*)\)")


def definitions(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Return kind, schema, name and text of everything that is defined.

    DuckDB writes down in any order what a query excludes; here it is sorted.
    """
    rows = connection.execute(_DEFINED).fetchall()
    return [(*names, _EXCLUDED.sub(_sorted, text)) for *names, text in rows]


def _sorted(excluded: re.Match[str]) -> str:
    return f"EXCLUDE ({', '.join(sorted(excluded[1].split(', ')))})"
