"""What programs do stays in interactions, flagged, and counts nowhere else.

The limits are those of burst_limits.csv: 60 deeds in ten seconds, 240 in a minute.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import polars as pl
import pytest

from feedback_platform.cleaning.configuration import default_rules, parse_rules
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import Row, SmallPlatform, event

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLAGS = (
    "select is_burst, burst_rule, burst_bound, count(*) from interaction.interactions "
    "group by all order by 1, 2"
)
CAPPED = parse_rules(
    """
    [signals.use]
    event_type = "item_used"
    scale = "log"
    outliers = { method = "iqr", limit = 2, treatment = "cap" }
    normalise = { method = "min_max" }
    """,
    origin="test",
)


def deeds(
    count: int, *, first: int = 0, seconds: float = 5, start: datetime = NOON, **fields: Any
) -> list[dict[str, Any]]:
    """Clicks at equal distances within some seconds."""
    apart = timedelta(seconds=seconds) / count
    return [
        event(
            f"e{first + number}",
            "item_clicked",
            **{"item_id": "i1", "occurred_at": (start + number * apart).isoformat()} | fields,
        )
        for number in range(count)
    ]


def test_the_limits_that_ship_are_those_of_these_tests() -> None:
    with (DBT_PROJECT_DIR / "seeds" / "burst_limits.csv").open(newline="") as file:
        limits = [tuple(row.values()) for row in csv.DictReader(file)]

    assert limits == [("ten_seconds", "10", "60"), ("minute", "60", "240")]


@dataclass(frozen=True)
class CountedAnew:
    """What readers saw, and the platform after it had heard more; each item is one test's."""

    before: SmallPlatform
    after: SmallPlatform


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> CountedAnew:
    directory = tmp_path_factory.mktemp("counted")
    platform = SmallPlatform.at(directory / "platform", project)
    platform.land(
        *deeds(60, user_id="busy", item_id="hurried"),
        *deeds(61, first=100, user_id="slow", item_id="doubted"),
        *deeds(40, first=200, user_id="ada", item_id="shared"),
        *deeds(40, first=300, user_id=None, anonymous_id="a1", item_id="shared"),
        object_id="2",
    )
    platform.process()
    before = platform.seen_now(directory / "before")
    platform.land(
        *deeds(1, first=60, user_id="busy", item_id="hurried"),
        # An earlier delivery of one of them says that it happened an hour before.
        *deeds(1, first=100, user_id="slow", item_id="doubted", start=NOON - timedelta(hours=1)),
        event("login", "user_updated", user_id="ada", anonymous_id="a1"),
        object_id="1",
    )
    platform.process()
    return CountedAnew(before, platform)


def flags_at(platform: SmallPlatform, item: str) -> list[Row]:
    return platform.query(FLAGS.replace("group by", "where item_id = $1 group by"), [item])


def test_more_than_a_person_can_do_is_a_burst_and_as_much_is_none(counted: CountedAnew) -> None:
    assert flags_at(counted.before, "hurried") == [(False, None, None, 60)]
    assert flags_at(counted.after, "hurried") == [(True, "ten_seconds", 60, 61)]


def test_a_burst_that_was_none_is_believed_again(counted: CountedAnew) -> None:
    of_slow = "from feedback.user_feedback where user_id = 'slow'"
    assert counted.before.query(of_slow) == []

    assert flags_at(counted.after, "doubted") == [(False, None, None, 61)]
    assert counted.after.query(
        "select clicks from features.user_features where user_id = 'slow'"
    ) == [(61,)]


def test_a_device_that_becomes_a_users_brings_its_deeds_along(counted: CountedAnew) -> None:
    assert flags_at(counted.before, "shared") == [(False, None, None, 80)]
    assert flags_at(counted.after, "shared") == [(True, "ten_seconds", 60, 80)]


def test_what_was_counted_anew_is_what_a_rebuild_counts(counted: CountedAnew) -> None:
    assert counted.after.tables() == counted.after.rebuilt().stored()


def _order(user_id: str) -> bytes:
    """A hundred deeds in one message."""
    message = {
        "type": "track",
        "event": "Order Completed",
        "userId": user_id,
        "messageId": "order",
        "timestamp": "2026-03-01T12:00:00Z",
        "properties": {"products": [{"product_id": f"p{n}", "price": 1} for n in range(100)]},
    }
    received_at = "2026-03-02T12:00:00Z"
    return orjson.dumps({"format": "segment", "received_at": received_at, "message": message})


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    """Each user is one test's."""
    platform = SmallPlatform.at(tmp_path_factory.mktemp("automation"), project)
    later = NOON + timedelta(minutes=1)
    platform.land(
        *deeds(241, seconds=60, user_id="hasty"),
        *deeds(30, first=500, start=later, user_id="hasty"),
        *[
            event(f"s{number}", "item_impression", item_id=f"i{number}", user_id="shown")
            for number in range(300)
        ],
        _order("buyer"),
        *deeds(61, first=600, user_id="changed"),
        event("plan", "user_updated", user_id="changed", properties={"plan": "pro"}),
        event(
            "phone", "item_liked", user_id="told", item_id="i1", device_type="Phone",
            platform="iPadOS",
        ),
        object_id="1",
    )  # fmt: skip
    platform.process()
    return platform


def flags_of(platform: SmallPlatform, *users: str) -> list[Row]:
    of_users = FLAGS.replace("group by", "where user_id in (select unnest($1)) group by")
    return platform.query(of_users, [list(users)])


def test_a_long_burst_exceeds_the_limit_of_a_minute(seen: SmallPlatform) -> None:
    assert flags_of(seen, "hasty") == [(False, None, None, 30), (True, "minute", 240, 241)]


def test_what_is_shown_or_comes_in_one_message_is_no_burst(seen: SmallPlatform) -> None:
    assert flags_of(seen, "shown", "buyer") == [(False, None, None, 400)]


def test_what_is_reported_of_a_user_during_a_burst_counts(seen: SmallPlatform) -> None:
    assert flags_of(seen, "changed") == [(False, None, None, 1), (True, "ten_seconds", 60, 61)]
    assert seen.query(
        "select attributes ->> 'plan' from interaction.users where user_id = 'changed'"
    ) == [("pro",)]


def test_the_columns_of_features_are_the_categories_of_the_rules_that_ship(
    seen: SmallPlatform,
) -> None:
    (features,) = seen.records("from features.user_features where user_id = 'told'")
    for encoding, prefix, chosen in (
        (default_rules().encodings[0], "is_device_", "mobile"),
        (default_rules().encodings[1], "is_platform_", "ios"),
    ):
        columns = {name: one for name, one in features.items() if name.startswith(prefix)}
        assert columns == {f"{prefix}{name}": int(name == chosen) for name in encoding.names}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    """Bursts and bots, and one person."""
    platform = SmallPlatform.at(tmp_path_factory.mktemp("programs"), project)
    crawler = {"properties": {"context": {"userAgent": "Mozilla/5.0 (compatible; bingbot/2.0)"}}}
    platform.land(
        *deeds(61, user_id="visitor", session_id="s1"),
        *deeds(61, first=100, user_id="sender"),
        event("like", "item_liked", item_id="i1", **crawler),
        event("rating", "item_rated", item_id="i1", value=5, **crawler),
        event("declared", "item_clicked", item_id="i1", properties={"is_bot": True}),
        event("person", "item_liked", item_id="i2", user_id="u2"),
        object_id="1",
    )
    platform.process()
    return platform


def test_programs_are_there_to_be_looked_at(programs: SmallPlatform) -> None:
    assert programs.query(
        "select user_id, count(*) from interaction.interactions where is_burst "
        "group by all order by all"
    ) == [("sender", 61), ("visitor", 61)]
    assert programs.query(
        "select event_id, is_bot, bot_rule from interaction.interactions "
        "where not is_burst order by 1"
    ) == [
        ("declared", True, "declared"),
        ("like", True, "crawler"),
        ("person", False, None),
        ("rating", True, "crawler"),
    ]


def test_only_the_person_counts(programs: SmallPlatform) -> None:
    assert programs.query("select feedback_id from feedback.user_feedback") == [("person",)]
    for table in ("interaction.sessions", "feedback.feedback_scores", "features.user_features"):
        assert programs.query(f"select user_id from {table}") == [("u2",)]
    assert programs.query("select item_id from features.item_features") == [("i2",)]
    assert programs.query("select users from metrics.engagement_daily") == [(1,)]
    assert programs.query("from metrics.satisfaction_daily") == []
    assert programs.query("select users from metrics.conversion_daily") == [(1,)]


def test_a_capped_outlier_is_believed_and_an_excluded_one_is_not(platform: SmallPlatform) -> None:
    platform.land(event("excluded", "item_used", item_id="i1", value=1e7), object_id="1")
    platform.clean()
    platform.land(event("capped", "item_used", item_id="i1", value=1e7), object_id="2")
    platform.clean(rules=CAPPED)
    platform.transform()
    platform.publish()

    assert platform.query(
        "select feedback_id, is_outlier, confidence from feedback.user_feedback order by 1"
    ) == [("capped", True, 0.4), ("excluded", True, 0.0)]
    versions = platform.query("select count(distinct rules_version) from interaction.interactions")
    assert versions == [(2,)]


def test_clean_rows_of_an_earlier_release_come_in_without_what_it_did_not_know(
    platform: SmallPlatform,
) -> None:
    platform.land(event("old", "item_used", item_id="i1", value=1e7), object_id="1")
    (manifest,) = platform.clean()
    (key,) = manifest.clean_objects
    rows = pl.read_parquet(io.BytesIO(platform.lake.get(key)))
    buffer = io.BytesIO()
    rows.drop(
        "platform_category", "is_bot", "bot_rule", "outlier_treatment", "rules_version"
    ).write_parquet(buffer)
    platform.lake.put(key, buffer.getvalue(), mode="overwrite")

    platform.transform()
    platform.publish()

    assert platform.query(
        "select is_bot, is_burst, rules_version from interaction.interactions"
    ) == [(False, False, None)]
    assert platform.query("select confidence from feedback.user_feedback") == [(0.0,)]
    assert platform.query("select is_platform_unknown from features.user_features") == [(1,)]
