"""Raw objects that are cleaned again replace what they gave, while others arrive, row for row."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import duckdb
import pytest

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform_tests.seeds import seeds
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import (
    RECEIVED,
    SmallPlatform,
    event,
)

Lines = list[dict[str, Any] | bytes]


def read_differently(
    platform: SmallPlatform, raw_object: str, *lines: dict[str, Any] | bytes
) -> None:
    """Let an object say something else, and clean it again."""
    platform.rewrite(raw_object, *lines)
    platform.reprocess(raw_object)


def staged_is_rebuild(platform: SmallPlatform) -> bool:
    return platform.stage().is_rebuild


def in_one_go(platform: SmallPlatform, contents: dict[str, Lines]) -> SmallPlatform:
    """Another platform, which received the same objects and cleaned all of them once."""
    directory = platform.directory / "once"
    once = SmallPlatform(directory, platform.project, Lake((directory / "lake").as_uri()))
    for raw_object, lines in contents.items():
        once.rewrite(raw_object, *lines)
    once.clean()
    once.transform()
    return once


# These notice each of: withdrawn events that stay, deliveries that do not come back, their keys,
# devices and visits that are forgotten.
@pytest.mark.parametrize("seed", seeds(25, 1))
def test_a_backfill_beside_live_events_ends_in_the_tables_of_one_clean_run(
    platform: SmallPlatform, seed: int
) -> None:
    random = Random(seed)
    contents: dict[str, Lines] = {}

    def land(number: int) -> None:
        hour = random_hour(random)
        lines = random_object(random, hour)
        key = platform.land(*lines, received_at=hour, object_id=f"{number}")
        contents[key] = lines

    for number in range(4):
        land(number)
    platform.process()
    has_died = False
    for number in range(4, 8):
        land(number)
        live = [key for key in contents if key.rpartition("-")[2].startswith(f"{number}.")]
        # Live events and the backfill commit in any order, and sometimes more than once.
        again = random.sample(sorted(set(contents) - set(live)), random.randint(1, 3))
        for raw_object in again:
            contents[raw_object] = random_object(random, keys.hour_of(raw_object))
            platform.rewrite(raw_object, *contents[raw_object])
        if random.random() < 0.5:
            platform.clean(live)
            platform.reprocess(*again)
        else:
            platform.reprocess(*again)
            platform.clean(live)
        if random.random() < 0.4:  # a run that dies half-way
            platform.stage()
            platform.run([random.choice(["+arriving", "+changes", "+interactions"])])
            has_died = True
            continue
        assert has_died or not staged_is_rebuild(platform)
        has_died = False
        platform.transform()
        if random.random() < 0.6:
            platform.publish()
    platform.transform()
    platform.publish()

    incremental = platform.tables()
    for other in (platform.rebuilt(), in_one_go(platform, contents)):
        for table, rows in other.stored().items():
            assert incremental[table] == rows, table


def test_an_event_that_another_object_holds_too_comes_back_from_there(
    platform: SmallPlatform,
) -> None:
    first = platform.land(event("e", "item_liked", item_id="i1"), object_id="1")
    platform.process()
    again = event("e", "item_rated", item_id="i1", value=2)
    platform.land(again, received_at=RECEIVED + timedelta(days=1), object_id="2")
    platform.process()
    assert platform.query("select signal from feedback.user_feedback") == [("like",)]

    read_differently(platform, first, event("other", "item_liked", item_id="i2"))
    assert not staged_is_rebuild(platform)
    platform.transform()
    platform.publish()

    assert platform.query("select feedback_id, signal from feedback.user_feedback order by 1") == [
        ("e", "rating"),
        ("other", "like"),
    ]
    assert platform.tables() == platform.rebuilt().stored()


def test_of_several_deliveries_elsewhere_the_earliest_that_counts_comes_back(
    platform: SmallPlatform,
) -> None:
    def land(number: int, item_id: str) -> str:
        received_at: datetime = RECEIVED + timedelta(hours=number)
        liked = event("e", "item_liked", item_id=item_id)
        return platform.land(liked, received_at=received_at, object_id=f"{number}")

    first, second, _ = (land(number, f"i{number}") for number in range(3))
    platform.process()
    # What the second object said before it was reprocessed is no delivery any more.
    read_differently(platform, second, event("x", "item_liked", item_id="ix"))
    platform.process()
    read_differently(platform, first, event("y", "item_liked", item_id="iy"))
    platform.process()

    assert platform.query(
        "select event_id, item_id from interaction.interactions order by event_id"
    ) == [("e", "i2"), ("x", "ix"), ("y", "iy")]
    assert platform.tables() == platform.rebuilt().stored()


def test_an_event_that_no_object_holds_any_more_leaves_with_all_that_came_of_it(
    platform: SmallPlatform,
) -> None:
    device = {"anonymous_id": "a1"}
    unknown = {"user_id": None, "session_id": None}
    known = platform.land(event("login", "item_liked", item_id="i1", **device), object_id="1")
    platform.land(event("before", "item_viewed", item_id="i2", **device, **unknown), object_id="2")
    platform.process()
    owners = "select user_id from interaction.interactions order by event_id"
    assert platform.query(owners) == [("u1",), ("u1",)]

    read_differently(platform, known)
    platform.process()

    assert platform.query(owners) == [("anonymous:a1",)]
    assert platform.query("select user_id from interaction.users") == [("anonymous:a1",)]
    assert platform.query("select item_id from interaction.items") == [("i2",)]
    assert platform.tables() == platform.rebuilt().stored()


def test_an_event_that_leaves_does_not_come_back_with_the_owner_of_its_device(
    platform: SmallPlatform,
) -> None:
    device = {"anonymous_id": "a1"}
    unknown = {"user_id": None, "session_id": None}
    before = platform.land(
        event("before", "item_viewed", item_id="i2", **device, **unknown), object_id="1"
    )
    platform.process()

    read_differently(platform, before)
    platform.land(event("login", "item_liked", item_id="i1", **device), object_id="2")
    platform.process()

    assert platform.query("select event_id from interaction.interactions") == [("login",)]
    assert platform.tables() == platform.rebuilt().stored()


def test_a_visit_parts_where_the_event_that_held_it_together_leaves(
    platform: SmallPlatform,
) -> None:
    def view(minute: int) -> dict[str, Any]:
        at = f"2026-03-01T12:{minute:02}:00Z"
        return event(f"e{minute}", "item_viewed", item_id="i1", occurred_at=at)

    platform.land(view(0), view(40), object_id="1")
    middle = platform.land(view(20), object_id="2")
    platform.process()
    sessions = "select session_id, events from interaction.sessions order by 1"
    assert platform.query(sessions) == [("visit:u1@2026-03-01T12:00:00.000000Z", 3)]

    read_differently(platform, middle)
    platform.process()

    assert platform.query(sessions) == [
        ("visit:u1@2026-03-01T12:00:00.000000Z", 1),
        ("visit:u1@2026-03-01T12:40:00.000000Z", 1),
    ]
    assert platform.tables() == platform.rebuilt().stored()


def test_what_a_run_that_died_had_begun_with_leaves_no_trace_when_it_is_reprocessed(
    platform: SmallPlatform,
) -> None:
    device = {"anonymous_id": "a1"}
    unknown = {"user_id": None, "session_id": None}
    platform.land(event("before", "item_viewed", item_id="i2", **device, **unknown), object_id="1")
    platform.process()
    known = platform.land(event("login", "item_liked", item_id="i1", **device), object_id="2")
    platform.clean()
    platform.stage()
    platform.run(["+arriving"])

    read_differently(platform, known)
    platform.process()

    assert platform.query("select user_id from interaction.interactions") == [("anonymous:a1",)]


def test_an_earlier_delivery_after_a_run_that_died_takes_its_link_of_the_device_away(
    platform: SmallPlatform,
) -> None:
    device = {"anonymous_id": "a1"}
    unknown = {"user_id": None, "session_id": None}
    platform.land(event("before", "item_viewed", item_id="i2", **device, **unknown), object_id="1")
    platform.process()
    platform.land(event("login", "item_liked", item_id="i1", **device), object_id="2")
    platform.clean()
    platform.stage()
    platform.run(["+arriving"])

    elsewhere = event("login", "item_liked", item_id="i1", anonymous_id="a2")
    platform.land(elsewhere, received_at=RECEIVED - timedelta(hours=1), object_id="3")
    platform.process()

    owners = "select event_id, user_id from interaction.interactions order by 1"
    assert platform.query(owners) == [("before", "anonymous:a1"), ("login", "u1")]
    assert platform.tables() == platform.rebuilt().stored()


def test_the_clean_layer_is_read_again_only_where_events_left_their_place(
    platform: SmallPlatform,
) -> None:
    kept = platform.land(event("a", "item_liked", item_id="i1"), object_id="1")
    platform.land(event("b", "item_liked", item_id="i1"), object_id="2")
    platform.process()
    assert platform.lake.directory is not None
    for stored in platform.lake.list_keys(keys.CLEAN):
        platform.lake.delete([stored])

    platform.reprocess(kept)
    platform.process()

    with duckdb.connect(platform.warehouse) as connection:
        assert connection.execute("select raw_object from lake.replaced_objects").fetchall() == [
            (kept,)
        ]
    assert platform.query("select event_id from interaction.interactions order by 1") == [
        ("a",),
        ("b",),
    ]


def test_a_remote_lake_brings_events_back_and_keeps_no_copies(
    platform: SmallPlatform, s3_lake_url: str
) -> None:
    remote = SmallPlatform(platform.directory / "remote", platform.project, Lake(s3_lake_url))
    first = remote.land(event("e", "item_liked", item_id="i1"), object_id="1")
    remote.land(
        event("e", "item_liked", item_id="i2"),
        received_at=RECEIVED + timedelta(days=1),
        object_id="2",
    )
    remote.process()

    read_differently(remote, first, event("other", "item_liked", item_id="i3"))
    remote.process()

    assert remote.query("select event_id, item_id from interaction.interactions order by 1") == [
        ("e", "i2"),
        ("other", "i3"),
    ]
    assert [path for path in (remote.directory / "cache").rglob("*") if path.is_file()] == []
