"""The layers as of a time equal those of a platform to which nothing happened from then on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.seeds import seeds
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import Row, SmallPlatform, event

LAYERS = {
    "interaction.interactions": "event_id, user_id, session_id, is_session_inferred",
    "interaction.users": "*",
    "interaction.items": "*",
    "feedback.user_feedback": "* exclude (batch_sequence)",
    "feedback.feedback_scores": "*",
    "features.user_features": "*",
    "features.item_features": "*",
}

Objects = list[tuple[datetime, list[dict[str, Any]]]]


def _random_objects(random: Random) -> Objects:
    """Objects of valid events, each with an id of its own: what a duplicate said does not count."""
    objects: Objects = []
    for number in range(10):
        hour = random_hour(random)
        lines = [line for line in random_object(random, hour) if isinstance(line, dict)]
        for place, line in enumerate(lines):
            line["event_id"] = f"{number}-{place}"
        objects.append((hour, lines))
    return objects


def _platform_of(directory: Path, project: DbtProject, objects: Objects) -> SmallPlatform:
    platform = SmallPlatform.at(directory, project)
    for number, (hour, lines) in enumerate(objects):
        if lines:
            platform.land(*lines, received_at=hour, object_id=f"{number:02d}")
    platform.process()
    return platform


def _before(objects: Objects, time: datetime) -> Objects:
    return [
        (hour, [line for line in lines if datetime.fromisoformat(line["occurred_at"]) < time])
        for hour, lines in objects
    ]


def _rows(platform: SmallPlatform, relation: str, columns: str) -> Sequence[Row]:
    return sorted(platform.query(f"select {columns} from {relation}"), key=repr)


@pytest.mark.parametrize("seed", seeds(1, 4))
def test_a_time_knows_nothing_from_after_it(tmp_path: Path, project: DbtProject, seed: int) -> None:
    random = Random(seed)
    objects = _random_objects(random)
    platform = _platform_of(tmp_path / "all", project, objects)
    times = sorted({line["occurred_at"] for _, lines in objects for line in lines})
    # At the very time of an event, which does not belong to what was known before.
    time = datetime.fromisoformat(times[random.randrange(len(times) // 3, len(times) * 4 // 5)])

    shorter = _platform_of(tmp_path / "before", project, _before(objects, time))

    at = f"timestamp '{time.replace(tzinfo=None)}'"
    for layer, columns in LAYERS.items():
        known = _rows(platform, f"{layer}_as_of({at})", columns)
        assert known == _rows(shorter, layer, columns), layer
        assert known, layer
        # So it is not the present that is compared with itself.
        assert known != _rows(platform, layer, columns), layer


def test_the_end_of_time_is_the_present(tmp_path: Path, project: DbtProject) -> None:
    platform = _platform_of(tmp_path, project, _random_objects(Random(3)))

    for layer, columns in LAYERS.items():
        present = _rows(platform, layer, columns)
        assert _rows(platform, f"{layer}_as_of(timestamp '2100-01-01')", columns) == present, layer


def test_what_somebody_does_later_changes_nothing_that_was_known(platform: SmallPlatform) -> None:
    """A login, other categories, another opinion: each of them rewrites the present only."""
    noon = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - the warehouse's are naive

    def at(minute: int) -> str:
        return (noon + timedelta(minutes=minute)).isoformat() + "Z"

    device = {"user_id": None, "anonymous_id": "a1", "item_id": "film"}
    film = {"user_id": None, "item_id": "film"}
    platform.land(
        event("was", "item_updated", **film, occurred_at=at(0), properties={"categories": ["war"]}),
        event("look", "item_viewed", **device, occurred_at=at(5), value=54),
        event("like", "item_liked", **device, occurred_at=at(10)),
        event(
            "is", "item_updated", **film, occurred_at=at(20), properties={"categories": ["love"]}
        ),
        event("login", "item_dismissed", **device | {"user_id": "ada"}, occurred_at=at(20)),
        object_id="1",
    )
    platform.process()
    features = "select user_id, likes, sessions, category_affinity from {}"
    visits = "select session_id, count(*) from {} where user_id is not null group by all"

    assert platform.query(features.format("features.user_features")) == [
        ("ada", 1, 1, {"love": 1.0})
    ]
    as_of = "_as_of(timestamp '2026-03-01 12:20:00')"
    assert platform.query(features.format(f"features.user_features{as_of}")) == [
        ("anonymous:a1", 1, 1, {"war": 1.0})
    ]
    assert platform.query(visits.format("interaction.interactions")) == [
        ("visit:ada@2026-03-01T12:05:00.000000Z", 3)
    ]
    assert platform.query(visits.format(f"interaction.interactions{as_of}")) == [
        ("visit:anonymous:a1@2026-03-01T12:05:00.000000Z", 2)
    ]
    assert platform.query(
        f"select categories, average_score > 0.9 from features.item_features{as_of}"
    ) == [(["war"], True)]
