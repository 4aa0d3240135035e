from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feedback_platform.dashboard.cache import SnapshotCache
from feedback_platform.dashboard.snapshot import (
    PublicationUnreadableError,
    ReplacedError,
    Snapshot,
    TableDiffersError,
    TableMissingError,
)
from feedback_platform.dashboard.tables import Table
from feedback_platform.errors import NothingPublishedError
from feedback_platform_tests.dashboard.contract_tables import published_with

CLICKS = Table("metrics.clicks", ("day", "clicks"))
ROWS = pl.DataFrame({"day": [1, 2], "clicks": [3, 4], "more": ["a", "b"]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return published_with({"metrics.clicks": ROWS}, tmp_path / "feedback.duckdb")


def total(snapshot: Snapshot, factor: int) -> int:
    found = snapshot.rows(
        CLICKS, "select sum(clicks) * $factor from metrics.clicks", {"factor": factor}
    )
    return int(found.item())


def test_a_question_reads_the_tables_and_columns_beyond_do_not_matter(path: Path) -> None:
    with Snapshot(path, SnapshotCache()) as snapshot:
        assert snapshot.ask(total, 10) == 70
        assert snapshot.has(CLICKS)


def test_a_second_visitor_opens_nothing(path: Path, tmp_path: Path) -> None:
    cache = SnapshotCache()
    with Snapshot(path, cache) as snapshot:
        snapshot.ask(total, 10)
    for file in (tmp_path / "tables").iterdir():
        file.unlink()

    with Snapshot(path, cache) as snapshot:
        assert snapshot.ask(total, 10) == 70


def test_another_publication_is_asked_anew(path: Path) -> None:
    cache = SnapshotCache()
    with Snapshot(path, cache) as snapshot:
        snapshot.ask(total, 1)
    published_with({"metrics.clicks": ROWS.with_columns(clicks=pl.lit(5))}, path)

    with Snapshot(path, cache) as snapshot:
        assert snapshot.ask(total, 1) == 10


def test_a_publication_that_was_replaced_before_it_was_opened_is_not_mixed_up(path: Path) -> None:
    with Snapshot(path, SnapshotCache()) as snapshot:
        published_with({"metrics.clicks": ROWS.head(1)}, path)

        with pytest.raises(ReplacedError):
            snapshot.ask(total, 1)


def test_one_that_is_replaced_afterwards_is_read_to_its_end(path: Path, tmp_path: Path) -> None:
    with Snapshot(path, SnapshotCache()) as snapshot:
        snapshot.ask(total, 1)
        (tmp_path / "next").mkdir()
        published_with(
            {"metrics.clicks": ROWS.head(1)}, tmp_path / "next" / "feedback.duckdb"
        ).replace(path)

        assert snapshot.ask(total, 2) == 14


def test_a_file_that_is_gone_is_told(path: Path, tmp_path: Path) -> None:
    for file in (tmp_path / "tables").iterdir():
        file.unlink()

    with (
        Snapshot(path, SnapshotCache()) as snapshot,
        pytest.raises(PublicationUnreadableError, match=r"A file behind `metrics\.clicks`"),
    ):
        snapshot.ask(total, 1)


def test_nothing_published_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(NothingPublishedError):
        Snapshot(tmp_path / "feedback.duckdb", SnapshotCache())


def test_a_missing_table_and_a_missing_column_are_told_apart(path: Path) -> None:
    with Snapshot(path, SnapshotCache()) as snapshot:
        with pytest.raises(TableMissingError, match=r"`metrics\.views` is not published"):
            snapshot.rows(Table("metrics.views", ("day",)), "select 1")
        with pytest.raises(TableDiffersError, match="it has no `views`, `users`"):
            snapshot.rows(Table("metrics.clicks", ("day", "views", "users")), "select 1")


def test_times_are_utc_and_local_variables_are_no_tables(path: Path) -> None:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    with Snapshot(path, SnapshotCache()) as snapshot:
        found = snapshot.rows(
            CLICKS, "select $at::timestamp as at", {"at": at.replace(tzinfo=None)}
        )
        assert found.item() == at
        with pytest.raises(TableDiffersError):
            snapshot.rows(CLICKS, "from ROWS")
