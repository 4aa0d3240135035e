from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.measured_tables import (
    MEASURED,
    keep_measured,
    measured_table,
    measured_tables,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def test_before_anything_was_measured_every_table_is_there_and_empty(lake: Lake) -> None:
    tables = measured_tables(lake)

    assert {name for _, name in tables} == set(MEASURED)
    assert all(table.is_empty() for table in tables.values())
    assert {name: table.schema for (_, name), table in tables.items()} == MEASURED


def test_what_is_kept_takes_the_place_of_what_was_before(lake: Lake) -> None:
    schema = MEASURED["signal_weights"]
    first, second = (
        pl.DataFrame([("click", 0.25, weight, None, None, "", None)], schema=schema, orient="row")
        for weight in (0.3, 0.4)
    )
    keep_measured(lake, "signal_weights", first)
    keep_measured(lake, "signal_weights", second)

    assert measured_table(lake, "signal_weights").equals(second)


def test_what_an_earlier_release_kept_counts_as_not_measured(lake: Lake) -> None:
    keep_measured(lake, "signal_weights", pl.DataFrame({"signal": ["click"]}))

    assert measured_table(lake, "signal_weights").is_empty()
