from __future__ import annotations

import asyncio
import os
from pathlib import Path

import duckdb
import pytest

from feedback_platform.serving.metrics.platform import freshness_metrics
from feedback_platform.serving.published_freshness import LayerPosition, PublishedFreshness

RAW, ML = LayerPosition(1_000.0, 0.0), LayerPosition(400.0, 600.0)


def publish(path: Path, *layers: tuple[str, float | None, float | None]) -> None:
    made = path.with_name("made.duckdb")
    with duckdb.connect(made) as connection:
        connection.execute(
            "create schema metrics; create table metrics.layer_freshness "
            "(layer varchar, newest_event_at timestamp, lag_seconds double)"
        )
        for row in layers:
            connection.execute(
                "insert into metrics.layer_freshness values (?, make_timestamp(?::bigint), ?)",
                [row[0], None if row[1] is None else round(row[1] * 1e6), row[2]],
            )
    os.replace(made, path)  # noqa: PTH105 - a rename, as in the pipeline


def test_the_layers_are_those_of_the_newest_publication(tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"
    freshness = PublishedFreshness(path)
    asyncio.run(freshness.look())
    assert freshness.layers == {}

    publish(path, ("raw", *RAW), ("ml", None, None))
    asyncio.run(freshness.look())
    assert freshness.layers == {"raw": RAW}

    publish(path, ("raw", *RAW), ("ml", *ML))
    asyncio.run(freshness.look())
    assert freshness.layers == {"raw": RAW, "ml": ML}


def test_each_layer_is_a_series(tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"
    publish(path, ("raw", *RAW), ("ml", *ML))
    freshness = PublishedFreshness(path)
    asyncio.run(freshness.look())

    newest, lag = freshness_metrics(freshness)

    assert (newest.labels, lag.labels) == (("layer",), ("layer",))
    assert newest.read() == {("raw",): 1_000.0, ("ml",): 400.0}
    assert lag.read() == {("raw",): 0.0, ("ml",): 600.0}


def test_what_cannot_be_read_leaves_the_layers_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "feedback.duckdb"
    publish(path, ("raw", *RAW))
    freshness = PublishedFreshness(path)
    asyncio.run(freshness.look())
    path.write_bytes(b"no database")
    asyncio.run(freshness.look())

    assert freshness.layers == {"raw": RAW}
    assert "cannot be read" in caplog.text


def test_an_earlier_release_published_no_freshness(tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"
    duckdb.connect(path).close()
    freshness = PublishedFreshness(path)
    asyncio.run(freshness.look())

    assert freshness.layers == {}
