"""What the demo prints at its end: what was built, and where to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.accounting import account
from feedback_platform.settings import Settings
from feedback_platform.warehouse.published import published_through, query

_LAYERS = ("interaction", "feedback", "features", "ml", "metrics")


def built(settings: Settings) -> pl.DataFrame:
    """Return the rows of each published table: layer, table, rows."""
    return query(
        settings.published_path,
        """
        select split_part("table", '.', 1) as layer, "table", rows
        from published.tables
        order by all
        """,
    )


def accounted(settings: Settings) -> dict[str, int]:
    """Return what became of every line that was ever received."""
    through = published_through(settings.published_path)
    counts = account(Lake(settings.lake_url), through=through)
    return {
        "lines": counts.received,
        "interactions": counts.events,
        "quarantined": counts.quarantined,
        "duplicates": counts.duplicates,
    }


def print_summary(settings: Settings, outcome: Mapping[str, Any], tables: pl.DataFrame) -> None:
    """Print the outcome of a demo."""
    console = Console()
    table = Table(title="Published tables", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for layer in _LAYERS:
        for _, name, rows in tables.filter(tables["layer"] == layer).iter_rows():
            table.add_row(name, f"{rows:,}")
        table.add_section()
    console.print(table)
    segments = Table(title="Segments", title_justify="left")
    for column in ("segment", "name", "users", "likes most"):
        segments.add_column(column, justify="right" if column == "users" else "left")
    profiles = query(
        settings.published_path,
        "select segment_id, name, users, top_preferences from ml.segment_profiles order by 1",
    )
    for segment, name, users, preferences in profiles.iter_rows():
        liked = ", ".join(entry["category"] for entry in preferences[:3])
        segments.add_row(str(segment), name, f"{users:,}", liked)
    console.print(segments)
    console.print(
        f"[bold]{outcome['lines']:,}[/] raw events = {outcome['interactions']:,} interactions + "
        f"{outcome['quarantined']:,} quarantined + {outcome['duplicates']:,} duplicates, "
        f"in {outcome['seconds']} s.",
        f"Model {outcome['model_version']}: {outcome['reason']}",
        f"Planted groups found again: adjusted Rand index {outcome['adjusted_rand_index']}.",
        f"Drift: {outcome['drift_events_found']} changes found.",
        "",
        f"Read the tables:  duckdb -readonly {settings.published_path}",
        "See the graph:    make run",
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )
