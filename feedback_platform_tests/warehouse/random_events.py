"""Events out of few ids, so that they collide, but of many keys, so that batches differ in them.

Were every user and item in every batch, everything would be computed anew each time, and what the
increments forget to touch would not be noticed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import polars as pl

from feedback_platform.adjustment.rules.ledger import ADJUSTMENTS_SCHEMA
from feedback_platform.learning.version_table import VERSIONS_SCHEMA
from feedback_platform_tests.warehouse.small_platform import event

# The end of one month and the start of the next: publication is cut there.
START = datetime(2026, 2, 27, 20, tzinfo=UTC)
HOURS = 20 * 24

USERS = [f"u{number}" for number in range(14)]
DEVICES = [f"a{number}" for number in range(6)]
SESSIONS = [f"s{number}" for number in range(18)]

_TYPES = (
    "item_impression",
    "item_viewed",
    "item_clicked",
    "item_liked",
    "item_dismissed",
    "item_rated",
    "item_used",
    "item_converted",
    "survey_answered",
    "session_started",
    "user_updated",
    "user_aliased",
    "item_updated",
    "item_updated",
)
# Half of the events fall into two hours around a midnight: visits meet, part and end there.
BUSY = 4 * 60


def random_object(random: Random, received_at: datetime) -> list[dict[str, Any] | bytes]:
    """Lines of one raw object: duplicates, contradictions, late and broken ones among them."""
    lines: list[dict[str, Any] | bytes] = [
        _random_event(random, received_at) for _ in range(random.randint(2, 8))
    ]
    if random.random() < 0.3:
        lines.append(b'{"event_id": "cut off')
    if random.random() < 0.6:
        lines += _random_haste(random)
    # Of its own chance, drawn from what the others came to: the seeds of tests keep their events.
    lines += _random_consents(Random(repr(lines)))
    lines += _random_lists(Random(repr(lines)))
    return lines


def _random_haste(random: Random) -> list[dict[str, Any]]:
    """Half of what makes a burst: two of these in one window exceed a limit, one alone does not."""
    start = START + timedelta(minutes=BUSY, seconds=random.choice([-10, 0]))
    device = random.choice(DEVICES[:2])
    properties = {"user_agent": random.choice(["Firefox", "curl/8"])}
    return [
        event(
            f"h{random.randrange(200)}",
            random.choice(["item_viewed", "item_clicked"]),
            user_id=None,
            anonymous_id=device,
            item_id=f"i{random.randrange(10)}",
            session_id=random.choice([*SESSIONS[:2], None]),
            occurred_at=(start + timedelta(milliseconds=random.randrange(10_000))).isoformat(),
            properties=properties,
        )
        for _ in range(45)
    ]


def _random_consents(random: Random) -> list[dict[str, Any]]:
    """What a few users allow, some of it unreadable; another delivery may make it a like."""
    return [
        event(
            f"c{random.randrange(12)}",
            random.choice(["consent_changed"] * 4 + ["item_liked"]),
            user_id=random.choice([*USERS[:5], None]),
            anonymous_id=random.choice([*DEVICES, None]),
            item_id=f"i{random.randrange(10)}",
            session_id=None,
            occurred_at=(START + timedelta(hours=random.randrange(HOURS))).isoformat(),
            properties=random_preferences(random),
        )
        for _ in range(random.randrange(6))
    ]


def _random_lists(random: Random) -> list[dict[str, Any]]:
    """What was recommended, clicked, met of experiments and answered, often around a midnight."""
    lines = []
    for _ in range(random.randrange(4, 9)):
        minutes = random.choice([random.randrange(HOURS * 60), BUSY + random.randint(-35, 35)])
        fields: dict[str, Any] = {
            "user_id": random.choice([*USERS[:8], None]),
            "anonymous_id": random.choice([*DEVICES, None]),
            "item_id": f"i{random.randrange(2)}",
            "session_id": random.choice([*SESSIONS[:4], None]),
            "occurred_at": (START + timedelta(minutes=minutes)).isoformat(),
        }
        event_type = random.choice(
            [
                *["item_impression", "item_clicked"] * 2,
                "experiment_exposed",
                "survey_answered",
                "item_converted",
            ]
        )
        match event_type:
            case "item_impression":
                version = random.choice([{"model_version": f"v{random.randrange(3)}"}, {}])
                fields |= {"recommendation_id": f"r{random.randrange(3)}", "properties": version}
                fields["placement"] = random.choice(["home", None])
            case "item_clicked":
                fields["recommendation_id"] = random.choice([f"r{random.randrange(3)}", None])
            case "experiment_exposed":
                fields |= {"experiment_id": f"x{random.randrange(2)}"}
                fields |= {"variant": random.choice(["old", "new"])}
            case "survey_answered":
                fields |= {"value": random.randint(0, 6), "properties": {"survey": "csat"}}
            case _:
                fields["value"] = random.choice([None, 9.99, 1e300])
        lines.append(event(f"l{random.randrange(60)}", event_type, **fields))
    return lines


def random_changes(random: Random) -> dict[tuple[str, str], pl.DataFrame]:
    """Versions that were put into use and adjustments that were made, some of them taken back."""
    times = [START + timedelta(minutes=random.randrange(HOURS * 60)) for _ in range(8)]
    versions = [(f"v{number}", at if number else None) for number, at in enumerate(times[:4])]
    stood = [None, timedelta(hours=3), timedelta(days=3), None]
    return {
        ("ml", "model_versions"): model_versions(*versions),
        ("metrics", "adjustments"): adjustments(
            *[
                (f"a{number}", at, at + lasted if lasted else None)
                for number, (at, lasted) in enumerate(zip(times[4:], stood, strict=True))
            ]
        ),
    }


def model_versions(*promoted: tuple[str, datetime | None]) -> pl.DataFrame:
    """Versions and when each was put into use."""
    rows = [
        {"model": "recommender", "version": version, "trained_at": START, "promoted_at": at}
        | {
            "trigger": "manual",
            "metrics": "{}",
            "status": "retired",
            "reason": "",
            "parameters": "{}",
        }
        for version, at in promoted
    ]
    return pl.DataFrame(rows, schema=VERSIONS_SCHEMA)


def adjustments(*made: tuple[str, datetime, datetime | None]) -> pl.DataFrame:
    """Adjustments, when each was made, and when it was taken back."""
    rows = [
        {"adjustment_id": name, "at": at, "undone_at": undone_at, "evidence": "{}"}
        | dict.fromkeys(["rule", "scope", "action", "flag", "before", "after", "reason"], "")
        | {"status": "reverted" if undone_at else "applied"}
        for name, at, undone_at in made
    ]
    return pl.DataFrame(rows, schema=ADJUSTMENTS_SCHEMA)


def random_preferences(random: Random) -> dict[str, Any]:
    """Whatever may stand in the properties of a consent event."""
    switch = [
        True,
        True,
        False,
        "true",
        "FALSE",
        0,
        "no",
        None,
        [False],
        {"personalisation": False},
    ]
    properties: dict[str, Any] = {"newsletter": False}
    for name in ("personalisation", "research"):
        if random.random() < 0.4:
            properties[name] = random.choice(switch)
    if random.random() < 0.7:
        signals = random.sample(["view", "click", "like", "rating", "use", "noise"], 3)
        named = {name: random.choice([False, *switch]) for name in signals}
        properties["signals"] = random.choice([named] * 5 + [signals, "view", False])
    return properties


def random_hour(random: Random) -> datetime:
    return START + timedelta(hours=random.randrange(HOURS))


def _random_event(random: Random, received_at: datetime) -> dict[str, Any]:
    minute = random.choice([random.randrange(HOURS * 60), BUSY + random.randint(-60, 60)])
    occurred_at = START + timedelta(minutes=minute)
    fields: dict[str, Any] = {
        "user_id": random.choice([*USERS, None]),
        "anonymous_id": random.choice([*DEVICES, None]),
        "item_id": f"i{random.randrange(10)}",
        "session_id": random.choice([*SESSIONS, None]),
        "placement": random.choice(["home", "search", None]),
        "device_type": random.choice(["desktop", "mobile", "watch", None]),
        "occurred_at": occurred_at.isoformat(),
        "received_at": (received_at + timedelta(minutes=random.randrange(3))).isoformat(),
    }
    event_type = random.choice(_TYPES)
    match event_type:
        case "item_rated":
            fields["value"] = random.choice([0.5, 2, 3.5, 5, 11])
        case "item_viewed" | "item_used":
            fields["value"] = random.choice([None, 0, 12.5, 54, 400, 1e7])
        case "survey_answered":
            fields |= {"value": random.randint(0, 10), "properties": {"survey": "nps"}}
        case "user_updated":
            fields["properties"] = {random.choice(["plan", "role"]): random.choice(["a", "b", 3])}
        case "user_aliased":
            fields["properties"] = {"previous_id": random.choice([*DEVICES, "", None])}
        case "item_updated":
            categories = random.sample(["films", "music", "sport"], random.randint(0, 3))
            fields["properties"] = {"categories": categories, "title": random.choice("xyz")}
        case _:
            pass
    return event(f"e{random.randrange(20)}", event_type, **fields)
