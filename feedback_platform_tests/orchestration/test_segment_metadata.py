from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning.learned_tables import RegisteredSegments, learn_segments
from feedback_platform.orchestration.segment_metadata import segment_metadata
from feedback_platform_tests.learning.affinities import affinities_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NO_FEATURES = pl.DataFrame(schema={"user_id": pl.String})
# Twelve users around a tenth, of whom a05 and a06 are closest to their mean; and eight others.
USERS = {f"a{n:02}": [0.1 - 0.0055 + n / 1000, 0.9 + 0.0055 - n / 1000, 0, 0] for n in range(12)}
USERS |= {f"b|{n}": [0, 0, 0.9 - n / 1000, 0.1 + n / 1000] for n in range(8)}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def learn(lake: Lake, days: int = 0) -> RegisteredSegments:
    return learn_segments(
        lake,
        affinities_of(USERS),
        NO_FEATURES,
        now=NOON + timedelta(days=days),
        trigger="manual",
    )


def text_of(metadata: dict[str, object], name: str) -> str:
    value = metadata[name]
    assert isinstance(value, dg.MarkdownMetadataValue)
    return value.value or ""


def test_each_segment_is_shown_from_near(lake: Lake) -> None:
    text = text_of(segment_metadata(learn(lake)), "segments from near")

    imports, reports = text.split("### ")[1:]
    assert imports.startswith("0 · Imports\n\n12 users, 60% of all · stability 1.00 · new\n")
    # The mean share is 0.9, and everybody's 0.9 times 12 of 20.
    assert "| imports | 90.0% | 1.67 |\n" in imports
    assert "\nTypical: a05, a06, " in imports
    # What Markdown has a meaning for is shown as it is.
    assert "Typical: b\\|3, b\\|4, " in reports


def test_a_segment_that_goes_on_says_so(lake: Lake) -> None:
    learn(lake)
    text = text_of(segment_metadata(learn(lake, days=1)), "segments from near")

    assert text.count("continues the segment of this number") == 2


def test_the_plot_is_a_picture_in_the_page(lake: Lake) -> None:
    text = text_of(segment_metadata(learn(lake)), "plot")

    start, encoded = text.removesuffix(")").split("base64,")
    assert start.endswith("](data:image/svg+xml;")
    assert base64.b64decode(encoded).startswith(b"<svg ")


def test_the_table_has_every_segment_and_the_figures_stand_beside_it(lake: Lake) -> None:
    metadata = segment_metadata(learn(lake))

    profiles = metadata["profiles"]
    assert isinstance(profiles, dg.TableMetadataValue)
    assert [record.data["name"] for record in profiles.records] == ["Imports", "Reports"]
    assert [record.data["stability"] for record in profiles.records] == ["1.00", "1.00"]
    assert metadata["segments"] == 2
    assert metadata["bootstrap_adjusted_rand"] == 1
