"""From Spark into the warehouse file: the tables that dbt built there, for who reads the file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb


def built_tables(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the models and seeds of a project; dbt's record of each."""
    for node in manifest["nodes"].values():
        if node["resource_type"] in {"model", "seed"}:
            yield node


def bring_home(
    session: Any, connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any], scratch: Path
) -> int:
    """Make a table of the warehouse file from the one that Spark has, and return its rows.

    Columns, types and what may not be null are those of the model's contract; DuckDB refuses what
    does not keep it. Sorted as the models are, the file is the same however Spark divided the work.

    Args:
        session: Spark's.
        connection: to the warehouse file.
        node: dbt's record of the model or seed.
        scratch: a directory that both see.
    """
    name = f'"{node["schema"]}"."{node["name"]}"'
    place = scratch / f"{node['schema']}.{node['name']}"
    shutil.rmtree(place, ignore_errors=True)
    session.table(f"{node['schema']}.{node['name']}").write.parquet(str(place))
    source = connection.read_parquet(f"{place}/*.parquet")
    connection.execute(f'create schema if not exists "{node["schema"]}"')
    columns = [column for column in node["columns"].values() if column.get("data_type")]
    if columns and node["resource_type"] == "model":
        described = ", ".join(
            f'"{column["name"]}" {column["data_type"]}'
            + (" not null" if _is_required(column) else "")
            for column in columns
        )
        connection.execute(f"create table {name} ({described})")
        names = ", ".join(f'"{column["name"]}"' for column in columns)
        source.project(names).insert_into(f"{node['schema']}.{node['name']}")
    else:
        source.create(f"{node['schema']}.{node['name']}")
    shutil.rmtree(place)
    return int(connection.table(f"{node['schema']}.{node['name']}").shape[0])


def _is_required(column: Mapping[str, Any]) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])
