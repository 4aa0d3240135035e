"""What was measured last, in the lake: a warehouse that is built anew gets it from here."""

from __future__ import annotations

import io
from typing import Final

import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.loop_health import LOOP_HEALTH_SCHEMA
from feedback_platform.monitoring.signal_quality import QUALITY_SCHEMA
from feedback_platform.monitoring.signal_weights import WEIGHTS_SCHEMA

MEASURED: Final = {
    "signal_quality": QUALITY_SCHEMA,
    "signal_weights": WEIGHTS_SCHEMA,
    "loop_health_daily": LOOP_HEALTH_SCHEMA,
}


def keep_measured(lake: Lake, name: str, rows: pl.DataFrame) -> None:
    """Put one of the tables of `MEASURED` in the place of what was measured before."""
    content = io.BytesIO()
    rows.write_parquet(content)
    lake.put(keys.measured(name), content.getvalue(), mode="overwrite")


def measured_table(lake: Lake, name: str) -> pl.DataFrame:
    """Return one of the tables of `MEASURED`; without rows where nothing was measured yet.

    An earlier release may have written other columns: then it counts as not measured.
    """
    content = lake.find(keys.measured(name))
    schema = MEASURED[name]
    if content is not None:
        rows = pl.read_parquet(io.BytesIO(content))
        if rows.schema == schema:
            return rows
    return pl.DataFrame(schema=schema)


def measured_tables(lake: Lake) -> dict[tuple[str, str], pl.DataFrame]:
    """Return all of them, by schema and table."""
    return {("metrics", name): measured_table(lake, name) for name in MEASURED}
