"""A look at what is published: what the commands find that no run has written down."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb

from feedback_platform.cli.experiment_looks import assigned_now, looks_now
from feedback_platform.experiments.definition import HoldOut
from feedback_platform.experiments.entries import Started, Stopped
from feedback_platform.experiments.exposure import Exposure
from feedback_platform.settings import load_settings
from feedback_platform_tests.adjustment.flags.definitions import ADA
from feedback_platform_tests.adjustment.rules.tables import START, Tables
from feedback_platform_tests.experiments.arms import experiment

STARTED = Started(experiment(), HoldOut(), ADA, START)


def publish(path: Path) -> None:
    """Six users came; four of them met the experiment, one of those late."""
    path.parent.mkdir(parents=True)
    with duckdb.connect(path) as connection:
        tables = Tables(connection)
        connection.execute(
            "create schema published; create table published.state as select 3 as through;"
            "create table ml.segment_profiles (segment_id bigint, name varchar)"
        )
        met = {"event_type": "experiment_exposed", "experiment_id": "cards-at-home"}
        for number in range(6):
            tables.happen(number, user_id=f"u{number}")
        for number, variant in enumerate(("grid", "cards", "grid")):
            tables.happen(10, user_id=f"u{number}", variant=variant, **met)
        tables.happen(3_000, user_id="u3", variant="grid", **met)


def test_what_is_published_is_looked_at_and_nothing_is_written_down(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "data", {})
    assert looks_now(settings, STARTED, None) == ()
    assert assigned_now(settings, STARTED, None) == {}
    publish(settings.published_path)

    (look,) = looks_now(settings, STARTED, None)

    assert (look.batch, look.exposure) == (3, Exposure({"grid": 3, "cards": 1}))
    assert sum(assigned_now(settings, STARTED, None).values()) == 6
    stopped = Stopped(STARTED.key, "stopped", ADA, START + timedelta(minutes=11))
    (earlier,) = looks_now(settings, STARTED, stopped)
    assert (earlier.exposure.users, earlier.is_final) == ({"grid": 2, "cards": 1}, True)
    assert not list((tmp_path / "data" / "lake").rglob("*.json"))
