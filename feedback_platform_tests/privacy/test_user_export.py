"""Everything that is known of a user, and nothing of anybody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.lake.raw import write_raw_object
from feedback_platform.privacy.user_export import UserExport
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform.warehouse.user_data import PARTS
from feedback_platform_tests.privacy.people import (
    FOREIGN_TABLET,
    HANDED_OVER,
    LEAVING,
    OWN_PHONE,
    RECEIVED,
    STAYING,
    THEIR_TABLET,
    event,
    land,
)
from feedback_platform_tests.warehouse.small_platform import SmallPlatform

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PREFERENCES = {"personalisation": False, "research": True, "signals": {"click": True}}
MORE = (
    event("x1", 30, event_type="item_liked", user_id=STAYING, value=None),
    event("x2", 31, event_type="user_updated", user_id=STAYING, properties={"plan": "pro"}),
    # What they did before they switched it off is kept.
    event("x4", 33, event_type="item_liked", user_id="opted-out-1", value=None),
    event(
        "x5",
        34,
        event_type="consent_changed",
        user_id="opted-out-1",
        properties={"personalisation": False},
    ),
    event(
        "x3",
        32,
        event_type="experiment_exposed",
        user_id=STAYING,
        experiment_id="cards",
        variant="big",
    ),
)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    """Two people who share devices, with segments and lists; the tests of a module read it."""
    made = SmallPlatform.at(tmp_path_factory.mktemp("platform"), project)
    land(made.lake)
    ndjson = b"\n".join(json.dumps(each).encode() for each in MORE)
    write_raw_object(
        made.lake, received_at=RECEIVED, source="web", sortable_id="more", ndjson=ndjson
    )
    made.clean()
    made.transform()
    with open_warehouse(made.warehouse) as connection:
        connection.execute(
            "insert into ml.segment_profiles values (3, 'film fans', 2, "
            "[{category: 'film', share: 0.5, lift: 2.0}], [], 'k-means', 'v1', null, null)"
        )
        for user in (LEAVING, STAYING):
            connection.execute(
                "insert into ml.user_segments values (?, 3, 'k-means', 0.1, 'v1')", [user]
            )
            connection.execute(
                "insert into ml.recommendations values (?, 1, 'film', 0.9, 'v1', 'liked', 1.0)",
                [user],
            )
    made.publish()
    return made


def exported(platform: SmallPlatform, user_id: str) -> dict[str, Any]:
    export = UserExport(platform.published, user_id, PREFERENCES, now=NOW)
    found: dict[str, Any] = json.loads(b"".join(export.pieces()))
    return found


def rows(document: dict[str, Any], part: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document[part]["rows"]
    return found


def test_each_part_is_there_with_what_it_is(platform: SmallPlatform) -> None:
    document = exported(platform, STAYING)

    assert document["user_id"] == STAYING
    assert document["exported_at"] == "2026-03-01T12:00:00Z"
    assert rows(document, "preferences") == [PREFERENCES]
    assert rows(document, "attributes")[0]["attributes"] == {"plan": "pro"}
    assert rows(document, "sessions")[0]["user_id"] == STAYING
    (like,) = [each for each in rows(document, "feedback") if each["signal"] == "like"][:1]
    assert like["feedback_type"] == "explicit"
    assert 0.5 < rows(document, "feedback_scores")[0]["feedback_score"] <= 1
    assert rows(document, "features")[0]["user_id"] == STAYING
    (segment,) = rows(document, "segment")
    assert (segment["name"], segment["top_preferences"][0]["category"]) == ("film fans", "film")
    (listed,) = rows(document, "recommendations")
    assert (listed["item_id"], listed["reason"]) == ("film", "liked")
    (met,) = rows(document, "experiments")
    assert (met["experiment_id"], met["variant"], met["events"]) == ("cards", "big", 1)
    assert [name for name in document if "about" in document[name]] == [
        "preferences",
        *(part.name for part in PARTS),
    ]
    assert all(document[part.name]["about"] == part.about for part in PARTS)


@pytest.mark.parametrize("user_id", [LEAVING, STAYING])
def test_it_is_all_that_the_layers_attribute_to_them_and_nothing_else(
    platform: SmallPlatform, user_id: str
) -> None:
    document = exported(platform, user_id)
    other = STAYING if user_id == LEAVING else LEAVING

    ids = [row["event_id"] for row in rows(document, "interactions")]
    found = platform.query(
        "select event_id from interaction.interactions where user_id = ? order by 1", [user_id]
    )
    assert sorted(ids) == [event_id for (event_id,) in found]
    assert len(ids) > 5
    for part in PARTS:
        for row in rows(document, part.name):
            assert row.get("user_id", user_id) == user_id
    # Who shares a device with them is never named.
    assert other not in json.dumps(document)


def test_what_does_not_count_is_known_all_the_same(platform: SmallPlatform) -> None:
    document = exported(platform, "opted-out-1")

    (like,) = rows(document, "feedback")
    assert (like["signal"], like["user_id"]) == ("like", "opted-out-1")
    assert rows(document, "feedback_scores") == []
    assert len(rows(document, "interactions")) == 2


def test_what_nobody_known_did_on_their_devices_is_theirs(platform: SmallPlatform) -> None:
    devices = {row["anonymous_id"] for row in rows(exported(platform, LEAVING), "interactions")}
    assert {OWN_PHONE, HANDED_OVER, THEIR_TABLET, FOREIGN_TABLET} <= devices

    for device in (OWN_PHONE, HANDED_OVER):
        document = exported(platform, f"anonymous:{device}")
        assert all(rows(document, part.name) == [] for part in PARTS)


@pytest.mark.parametrize(
    "user_id", ["nobody", f"{STAYING}' or '1'='1", "%", "", "\x00", "\U0001f600"]
)
def test_of_somebody_not_known_there_is_nothing(platform: SmallPlatform, user_id: str) -> None:
    document = exported(platform, user_id)

    assert document["user_id"] == user_id
    assert all(rows(document, part.name) == [] for part in PARTS)


def test_before_anything_is_published_only_preferences_are_known(tmp_path: Path) -> None:
    export = UserExport(tmp_path / "feedback.duckdb", "ada", PREFERENCES, now=NOW)
    document = json.loads(b"".join(export.pieces()))

    assert document["published_at"] is None
    assert rows(document, "preferences") == [PREFERENCES]
    assert all(rows(document, part.name) == [] for part in PARTS)


def test_it_comes_in_pieces_and_can_be_ended_between_them(platform: SmallPlatform) -> None:
    export = UserExport(platform.published, STAYING, {"x": "y" * 300_000}, now=NOW)
    pieces = export.pieces()

    assert b'"preferences"' in next(pieces)
    export.stop()
    pieces.close()
    export.stop()
    assert list(pieces) == []
