"""Whether two databases hold the same rows, of which one was built by Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

# exp, ln and pow of the Java machine and of the C library differ in the last bit at times; all else
# is the same to the last.
RELATIVE: Final = 1e-9


def rows_of(database: Path, relation: str) -> list[tuple[Any, ...]]:
    """All rows, in one order, but for the number of the batch; JSON as what it means."""
    with duckdb.connect(database, read_only=True) as connection:
        table = connection.sql(f"from {relation}")
        shown = [name for name in table.columns if name != "batch_sequence"]
        # Of the tables without a contract, Spark's JSON comes home as the text that it is there.
        is_json = [
            name == "properties" or str(table.types[table.columns.index(name)]) == "JSON"
            for name in shown
        ]
        rows = table.project(", ".join(f'"{name}"' for name in shown)).fetchall()
    meant = [
        tuple(
            json.loads(value) if known and value is not None else value
            for value, known in zip(row, is_json, strict=True)
        )
        for row in rows
    ]
    return sorted(meant, key=lambda row: repr([_rounded(value) for value in row]))


def _rounded(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Compare values, floating-point numbers wherever they are to a relative tolerance."""
    if isinstance(expected, float) and isinstance(found, float):
        assert found == pytest.approx(expected, rel=RELATIVE, abs=0), where
    elif isinstance(expected, dict) and isinstance(found, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        assert len(found) == len(expected), where
        for place, value in enumerate(expected):
            assert_same(found[place], value, f"{where}[{place}]")
    else:
        assert found == expected, where
