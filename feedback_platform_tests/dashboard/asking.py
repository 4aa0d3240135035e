"""A snapshot of tables that a test makes by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl

from feedback_platform.dashboard.cache import SnapshotCache
from feedback_platform.dashboard.choice import Choice, Period
from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform_tests.dashboard.contract_tables import published_with

MONDAY = date(2026, 1, 5)


def snapshot_of(tables: Mapping[str, pl.DataFrame], directory: Path) -> Snapshot:
    """A snapshot of a publication of these tables."""
    return Snapshot(published_with(tables, directory / "feedback.duckdb"), SnapshotCache())


def days(first: int, last: int) -> Choice:
    """Days of January 2026."""
    return Choice(Period(date(2026, 1, first), date(2026, 1, last)))
