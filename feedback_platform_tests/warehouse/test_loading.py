from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.loading import (
    StagedBatches,
    complete,
    replace_tables,
)
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import (
    RECEIVED,
    SmallPlatform,
    event,
)


def _staged(platform: SmallPlatform) -> tuple[list[Any], list[Any]]:
    with duckdb.connect(platform.warehouse) as connection:
        return (
            connection.sql("from lake.clean_events order by event_id, raw_object").fetchall(),
            connection.sql("from lake.quarantined_events order by raw_object, raw_row").fetchall(),
        )


def _complete(platform: SmallPlatform, through: int) -> None:
    with open_warehouse(platform.warehouse) as connection:
        complete(connection, through)


def _land(platform: SmallPlatform, name: str, **options: Any) -> str:
    """One good event and one bad line."""
    good = event(name, "item_liked", item_id="i1")
    return platform.land(good, b"bad", object_id=name, **options)


def test_an_empty_lake_stages_nothing(platform: SmallPlatform) -> None:
    assert platform.stage() == StagedBatches(0, 0, 0, 0, is_rebuild=True, remaining=0)


def test_staging_twice_is_the_same_as_once(platform: SmallPlatform) -> None:
    _land(platform, "a")
    platform.clean()
    _land(platform, "b")
    platform.clean()

    first = platform.stage()
    rows = _staged(platform)

    assert first == StagedBatches(
        through=2, batches=2, clean=2, quarantined=2, is_rebuild=True, remaining=0
    )
    assert platform.stage() == first
    assert _staged(platform) == rows


def test_what_is_complete_is_not_staged_again(platform: SmallPlatform) -> None:
    _land(platform, "a")
    platform.clean()
    _complete(platform, platform.stage().through)
    _land(platform, "b")
    platform.clean()

    staged = platform.stage()

    assert staged == StagedBatches(
        through=2, batches=1, clean=1, quarantined=1, is_rebuild=False, remaining=0
    )
    clean, quarantined = _staged(platform)
    assert [row[0] for row in clean] == ["b"]
    assert len(quarantined) == 2  # rejected lines stay


def test_a_run_takes_in_no_more_rows_than_it_may_but_one_batch_at_least(
    platform: SmallPlatform,
) -> None:
    for name in "abc":
        _land(platform, name)
        platform.clean()

    first = platform.stage(rows=0)
    _complete(platform, first.through)
    rest = platform.stage(rows=2)

    assert (first.through, first.batches, first.remaining) == (1, 1, 2)
    assert (rest.through, rest.batches, rest.remaining) == (3, 2, 0)


def test_a_run_that_died_is_done_again_with_the_batches_that_it_began_with(
    platform: SmallPlatform,
) -> None:
    first = _land(platform, "a")
    platform.process()
    _land(platform, "b")
    platform.clean()
    begun = platform.stage()
    platform.reprocess(first)

    again = platform.stage()

    assert (begun.through, begun.remaining) == (2, 0)
    assert (again.through, again.remaining, again.is_rebuild) == (2, 1, False)


def test_reprocessing_stages_the_new_rows_alone(platform: SmallPlatform) -> None:
    first = _land(platform, "a")
    platform.clean()
    _land(platform, "b", received_at=RECEIVED + timedelta(hours=1))
    platform.process()
    platform.reprocess(first)

    staged = platform.stage()

    assert staged == StagedBatches(
        through=3, batches=1, clean=1, quarantined=1, is_rebuild=False, remaining=0
    )
    clean, quarantined = _staged(platform)
    assert [(row[0], row[-1]) for row in clean] == [("a", 3)]
    assert sorted(row[-1] for row in quarantined) == [2, 3]
    with open_warehouse(platform.warehouse) as connection:
        assert connection.execute("select completed_through from pipeline.state").fetchall() == [
            (2,)
        ]


def test_reprocessing_before_the_first_run_also_replaces(platform: SmallPlatform) -> None:
    first = _land(platform, "a")
    platform.clean()
    platform.reprocess(first)
    platform.reprocess(first)

    assert platform.stage().clean == 1
    assert len(_staged(platform)[1]) == 1


def test_reprocessing_ends_in_the_same_tables(platform: SmallPlatform) -> None:
    events = [event(f"e{n}", "item_rated", item_id=f"i{n}", value=n) for n in (1, 2, 3)]
    objects = [platform.land(one, events[0], object_id=f"{n}") for n, one in enumerate(events)]
    platform.process()
    before = platform.tables()

    platform.reprocess(*objects[1:])
    platform.transform()
    publication = platform.publish()

    assert platform.tables() == before
    assert publication.through == 2


def test_fixed_tables_are_replaced_all_or_none(platform: SmallPlatform) -> None:
    platform.stage()
    segments = pl.DataFrame(
        {
            "model_version": ["v1"],
            "user_id": ["u1"],
            "algorithm": ["k-means"],
            "segment_id": [1],
            "distance": [0.5],
        }
    )
    twice = pl.concat([segments, segments])
    key = ("ml", "user_segments")
    with open_warehouse(platform.warehouse) as connection:
        replace_tables(connection, {key: segments})
        replace_tables(connection, {key: segments})
        with pytest.raises(duckdb.ConstraintException):
            replace_tables(connection, {key: twice})
        rows = connection.execute("from ml.user_segments").fetchall()

    # Columns are matched by name, whatever their order.
    assert rows == [("u1", 1, "k-means", 0.5, "v1")]


def test_a_remote_lake_leads_to_the_same_tables(
    platform: SmallPlatform, tmp_path: Path, project: DbtProject, s3_lake_url: str
) -> None:
    remote = SmallPlatform(tmp_path / "remote", project, Lake(s3_lake_url))
    for each in (platform, remote):
        _land(each, "a")
        each.process()

    assert remote.tables() == platform.tables()
    assert [path for path in (remote.directory / "cache").rglob("*") if path.is_file()] == []
    local = {path.name for path in remote.published.parent.rglob("*.parquet")}
    copies = {key.rpartition("/")[2] for key in remote.lake.list_keys("published")}
    assert {name for name in copies if name.endswith(".parquet")} == local
