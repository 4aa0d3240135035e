from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.arrays import pack
from feedback_platform.learning.learned_tables import learn_segments, learned_tables
from feedback_platform.learning.segment_tables import first_free_number, previous_segments
from feedback_platform.learning.training import SEGMENTS, SEGMENTS_FILE
from feedback_platform.learning.version_table import versions
from feedback_platform_tests.learning.affinities import AFFINITIES, CATEGORIES, TRUTH

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NO_FEATURES = pl.DataFrame(schema={"user_id": pl.String})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def learn(lake: Lake, days: int) -> list[tuple[int, int]]:
    """Learn the segments of 90, 60 and 40 users; return their numbers and sizes."""
    now = NOON + timedelta(days=days)
    learned = learn_segments(lake, AFFINITIES, NO_FEATURES, now=now, trigger="schedule")
    return learned.profiles.select("segment_id", "users").rows()


def register_as_before_numbers_were_kept(lake: Lake) -> None:
    """A version as the first releases wrote it; the numbers of its segments are those by size."""
    centres = np.full((3, 4), 0.25, np.float32)
    np.fill_diagonal(centres, 0.86)
    number = pl.col("segment_id").str.slice(-1).cast(pl.Int32)
    assignments = TRUTH.sort("user_id").select(
        "user_id",
        segment_id=2 - number,
        algorithm=pl.lit("k-means"),
        distance=pl.lit(0.1),
        model_version=pl.lit(""),
    )
    profiles = pl.DataFrame(
        {"segment_id": [0, 1, 2], "name": ["Reports", "Imports", "Alerts"], "users": [40, 60, 90]},
        schema_overrides={"segment_id": pl.Int32},
    )
    version = registry.register(
        lake,
        SEGMENTS,
        files={
            SEGMENTS_FILE: pack({"centres": centres[::-1].copy()}, {"categories": CATEGORIES}),
            "user_segments.parquet": _parquet(assignments),
            "segment_profiles.parquet": _parquet(profiles),
        },
        trained_at=NOON,
        trigger="initial",
        metrics={"silhouette": 0.5, "prediction_strength": 0.9, "segments": 3, "users": 190},
        parameters={"seed": 1},
    )
    champions.promote(lake, SEGMENTS, version.version, at=NOON, reason="")


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def test_without_a_version_there_is_nothing_to_continue(lake: Lake) -> None:
    assert previous_segments(lake) is None
    assert first_free_number(lake) == 0


def test_what_was_learned_is_what_is_continued(lake: Lake) -> None:
    assert learn(lake, 0) == [(0, 90), (1, 60), (2, 40)]

    previous = previous_segments(lake)

    assert previous is not None
    assert previous.model.ids == (0, 1, 2)
    assert previous.names == {0: "Alerts", 1: "Imports", 2: "Reports"}
    assert previous.assignments.height == 190
    assert first_free_number(lake) == previous.model.next_id == 3


def test_segments_of_an_earlier_release_keep_their_numbers(lake: Lake) -> None:
    register_as_before_numbers_were_kept(lake)
    assert first_free_number(lake) == 3

    assert learn(lake, 1) == [(0, 40), (1, 60), (2, 90)]

    (_, newest) = versions(lake, SEGMENTS)["metrics"].str.json_decode(
        pl.Struct({"continued_segments": pl.Int64(), "next_segment_id": pl.Int64()})
    )
    assert newest == {"continued_segments": 3, "next_segment_id": 3}


def test_tables_of_an_earlier_release_have_the_columns_of_this_one(lake: Lake) -> None:
    empty = learned_tables(lake)
    register_as_before_numbers_were_kept(lake)
    tables = learned_tables(lake)

    assert {name: rows.schema for name, rows in tables.items()} == {
        name: rows.schema for name, rows in empty.items()
    }
    assert tables["ml", "segment_profiles"]["name"].to_list() == ["Reports", "Imports", "Alerts"]


def test_a_damaged_version_is_replaced_by_training_again_with_numbers_of_its_own(
    lake: Lake,
) -> None:
    learn(lake, 0)
    version = champions.champion(lake, SEGMENTS)
    assert version is not None
    lake.put(keys.model_file(SEGMENTS, version.version, SEGMENTS_FILE), b"torn", mode="overwrite")

    assert previous_segments(lake) is None
    assert learn(lake, 1) == [(3, 90), (4, 60), (5, 40)]
