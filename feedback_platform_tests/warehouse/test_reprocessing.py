"""Raw objects that are cleaned again replace what they gave, while others arrive, row for row."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import duckdb
import pytest

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.seeds import seeds
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import (
    RECEIVED,
    SmallPlatform,
    event,
)

Lines = list[dict[str, Any] | bytes]
Reread = tuple[SmallPlatform, SmallPlatform, SmallPlatform]


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


DEVICE = {"anonymous_id": "a1"}
UNKNOWN = {"user_id": None, "session_id": None}


def _view(minute: int) -> dict[str, Any]:
    at = f"2026-03-01T12:{minute:02}:00Z"
    return event(f"visit {minute}", "item_viewed", user_id="visitor", item_id="i1", occurred_at=at)


@pytest.fixture(scope="module")
def reread(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> Reread:
    """What readers saw before objects were read differently, after some, and after all were.

    Each test has users, devices, items and events of its own.
    """
    directory = tmp_path_factory.mktemp("reread")
    platform = SmallPlatform.at(directory / "platform", project)

    def land(name: str, *lines: dict[str, Any], hours: int = 0) -> str:
        at = RECEIVED + timedelta(hours=hours)
        return platform.land(*lines, received_at=at, object_id=name)

    held = land("held1", _liked("held", "h1", "holder"))
    first, second, _ = (
        land(f"several{hour}", _liked("several", f"s{hour}", "sender"), hours=hour)
        for hour in range(3)
    )
    known = land("gone1", event("gone login", "item_liked", user_id="gus", item_id="g1", **DEVICE))
    land("gone2", event("gone before", "item_viewed", item_id="g2", **DEVICE, **UNKNOWN))
    other = {"anonymous_id": "b1"}
    left = land("left1", event("left before", "item_viewed", item_id="l2", **other, **UNKNOWN))
    land("visit1", _view(0), _view(40))
    middle = land("visit2", _view(20))
    platform.process()
    before = platform.seen_now(directory / "before")

    platform.rewrite(second, _liked("several x", "sx", "sender"))
    for empty in (known, left, middle):
        platform.rewrite(empty)
    platform.reprocess(second, known, left, middle)
    land("held2", event("held", "item_rated", user_id="holder", item_id="h1", value=2), hours=24)
    land("left2", event("left login", "item_liked", user_id="leo", item_id="l1", **other))
    platform.process()
    between = platform.seen_now(directory / "between")

    platform.rewrite(first, _liked("several y", "sy", "sender"))
    platform.rewrite(held, _liked("held other", "h2", "holder"))
    platform.reprocess(first, held)
    assert not staged_is_rebuild(platform)
    platform.process()
    return before, between, platform


def _liked(event_id: str, item_id: str, user_id: str) -> dict[str, Any]:
    return event(event_id, "item_liked", user_id=user_id, item_id=item_id)


def test_an_event_that_another_object_holds_too_comes_back_from_there(reread: Reread) -> None:
    signals = (
        "select feedback_id, signal from feedback.user_feedback where user_id = 'holder' order by 1"
    )
    _, between, after = reread

    assert between.query(signals) == [("held", "like")]
    assert after.query(signals) == [("held", "rating"), ("held other", "like")]


def test_of_several_deliveries_elsewhere_the_earliest_that_counts_comes_back(
    reread: Reread,
) -> None:
    _, _, after = reread

    # What the second object said before it was reprocessed is no delivery any more.
    assert after.query(
        "select event_id, item_id from interaction.interactions "
        "where user_id = 'sender' order by event_id"
    ) == [("several", "s2"), ("several x", "sx"), ("several y", "sy")]


def test_an_event_that_no_object_holds_any_more_leaves_with_all_that_came_of_it(
    reread: Reread,
) -> None:
    before, between, _ = reread
    owners = (
        "select user_id from interaction.interactions "
        "where starts_with(event_id, 'gone') order by event_id"
    )

    assert before.query(owners) == [("gus",), ("gus",)]
    assert between.query(owners) == [("anonymous:a1",)]
    assert between.query(
        "select user_id from interaction.users where user_id in ('gus', 'anonymous:a1')"
    ) == [("anonymous:a1",)]
    assert between.query("select item_id from interaction.items where item_id in ('g1', 'g2')") == [
        ("g2",)
    ]


def test_an_event_that_leaves_does_not_come_back_with_the_owner_of_its_device(
    reread: Reread,
) -> None:
    _, between, _ = reread

    assert between.query(
        "select event_id from interaction.interactions where starts_with(event_id, 'left')"
    ) == [("left login",)]


def test_a_visit_parts_where_the_event_that_held_it_together_leaves(reread: Reread) -> None:
    before, between, _ = reread
    sessions = (
        "select session_id, events from interaction.sessions where user_id = 'visitor' order by 1"
    )

    assert before.query(sessions) == [("visit:visitor@2026-03-01T12:00:00.000000Z", 3)]
    assert between.query(sessions) == [
        ("visit:visitor@2026-03-01T12:00:00.000000Z", 1),
        ("visit:visitor@2026-03-01T12:40:00.000000Z", 1),
    ]


def test_what_was_read_differently_is_what_a_rebuild_finds(reread: Reread) -> None:
    _, _, after = reread

    assert after.tables() == after.rebuilt().stored()


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
