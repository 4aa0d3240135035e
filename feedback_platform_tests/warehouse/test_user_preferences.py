"""What users allow, and what it does to the layers: in every order, and in the same run."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from feedback_platform.warehouse import layered
from feedback_platform_tests.seeds import seeds
from feedback_platform_tests.warehouse.preferences_by_hand import preferences_by_hand
from feedback_platform_tests.warehouse.random_events import START, random_preferences
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

FEEDBACK = ("item_liked", "item_viewed", "item_clicked", "item_rated", "item_used")


def random_history(random: Random) -> list[dict[str, Any]]:
    """What a few users and devices do and allow over three weeks, in any order."""

    def happened(event_id: str, event_type: str, **fields: Any) -> dict[str, Any]:
        known = {
            "user_id": random.choice(["u1", "u2", "u3", None]),
            "anonymous_id": random.choice(["a1", "a2", "a3"]),
            "occurred_at": (START + timedelta(minutes=random.randrange(30_000))).isoformat(),
            "value": random.choice([1, 54, 400]) if event_type != "item_rated" else 4,
        }
        return event(event_id, event_type, **known | fields)

    given = [
        happened(f"f{number}", random.choice(FEEDBACK), item_id=f"i{random.randrange(5)}")
        for number in range(40)
    ]
    said = [
        happened(f"c{number}", "consent_changed", properties=random_preferences(random))
        for number in range(20)
    ]
    return random.sample([*given, *said], 60)


@pytest.fixture(autouse=True)
def _tables_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What readers see is a base and layers: a row that goes has to be known to go."""
    monkeypatch.setattr(layered, "SMALL_ROWS", 0)
    monkeypatch.setattr(layered, "SHARE_OF_BASE", 0.1)


@pytest.mark.parametrize("seed", seeds(1, 2, 3))
def test_what_counts_does_not_depend_on_the_order_and_the_cut_of_batches(
    platform: SmallPlatform, seed: int
) -> None:
    history = random_history(Random(seed))
    # The last ones touch few users, so what they forget is not computed anew by chance.
    for begin, end in pairwise((0, 40, 54, 60)):
        platform.land(*history[begin:end], object_id=f"{begin:02d}")
        platform.process()

    tables = platform.tables()
    for table, rows in platform.rebuilt().stored().items():
        assert tables[table] == rows, table
    consents = platform.query(
        "select user_id, case when not is_identified then 'anonymous:' || anonymous_id end, "
        "occurred_at, event_id, properties from interaction.interactions "
        "where event_type = 'consent_changed'"
    )
    assert tables["interaction.user_preferences"] == [
        (user, *preferences) for user, preferences in sorted(preferences_by_hand(consents).items())
    ]
    # What readers see of the feedback is what the scores are made of.
    pairs = "select distinct user_id, item_id from {} where confidence > 0 order by all"
    seen = platform.query(pairs.format("feedback.user_feedback"))
    assert seen == platform.query(pairs.format("feedback.feedback_scores"))


def consent(event_id: str, minute: int, **fields: Any) -> dict[str, Any]:
    at = {"occurred_at": f"2026-03-01T13:{minute:02d}:00Z"}
    return event(event_id, "consent_changed", **at | fields)


def test_a_signal_that_is_switched_off_counts_nowhere_until_it_is_switched_on_again(
    platform: SmallPlatform,
) -> None:
    def counted() -> dict[str, Any]:
        return {
            "feedback": platform.query("select feedback_id from feedback.user_feedback order by 1"),
            "scores": platform.query(
                "select user_id, item_id, feedback_score, confidence from feedback.feedback_scores "
                "order by all"
            ),
            "users": platform.query(
                "select user_id, likes, views, items, category_affinity "
                "from features.user_features order by 1"
            ),
            "items": platform.query(
                "select item_id, users, fans from features.item_features order by 1"
            ),
        }

    categories = {"categories": ["war"]}
    platform.land(
        event("film", "item_updated", user_id=None, item_id="film", properties=categories),
        event("one", "item_liked", item_id="film"),
        event("two", "item_viewed", item_id="film", value=54),
        event("three", "item_liked", item_id="song"),
        event("four", "item_liked", item_id="film", user_id="u2"),
        event("five", "item_impression", item_id="film", user_id="u3"),
        object_id="1",
    )
    platform.process()
    everything = counted()
    assert [row[:2] for row in everything["scores"]] == [
        ("u1", "film"),
        ("u1", "song"),
        ("u2", "film"),
    ]
    assert everything["items"] == [("film", 2, 2), ("song", 1, 1)]
    interactions = "select event_id, event_type from interaction.interactions order by 1"
    facts = platform.query(interactions)

    platform.land(
        consent("off", 10, properties={"signals": {"like": False}}),
        consent("gone", 10, user_id="u3", properties={"personalisation": False}),
        object_id="2",
    )
    publication = platform.process()

    assert counted() == {
        "feedback": [("four",), ("two",)],
        # The look alone, of middling length: about halfway between 0.3 and 0.8.
        "scores": [("u1", "film", pytest.approx(0.55, abs=0.01), 0.15), ("u2", "film", 1.0, 0.8)],
        "users": [("u1", 0, 1, 1, {"war": 1.0}), ("u2", 1, 0, 1, {"war": 1.0})],
        "items": [("film", 2, 2), ("song", 0, 0)],
    }
    assert publication.rows["feedback.user_feedback"] == 2
    assert set(facts) < set(platform.query(interactions))

    platform.land(
        consent("on", 30, properties={"signals": {"like": True}}),
        consent("back", 30, user_id="u3", properties={"personalisation": True}),
        object_id="4",
    )
    platform.process()
    assert counted() == everything


def test_what_was_said_on_a_device_holds_for_it_and_for_whoever_it_turns_out_to_be(
    platform: SmallPlatform,
) -> None:
    allowed = "select user_id, personalisation, signals_off from interaction.user_preferences"
    device = {"user_id": None, "anonymous_id": "a1"}
    platform.land(
        consent("before", 10, **device, properties={"signals": {"like": False}}),
        event("like", "item_liked", **device, item_id="film"),
        event("earlier", "item_liked", user_id="ada", item_id="song"),
        object_id="1",
    )
    platform.process()
    assert platform.query(allowed) == [("anonymous:a1", True, ["like"])]
    scored = "select user_id, item_id from feedback.feedback_scores"
    assert platform.query(scored) == [("ada", "song")]

    platform.land(
        event("login", "item_viewed", user_id="ada", anonymous_id="a1", item_id="book"),
        # Somebody else, later: neither takes anything over from the other.
        consent("bob", 50, user_id="bob", anonymous_id="a1", properties={"personalisation": False}),
        object_id="2",
    )
    platform.process()

    preferences = [
        ("ada", True, ["like"]),
        # Who leaves again is nobody known, and has said so.
        ("anonymous:a1", True, ["like"]),
        ("bob", False, []),
    ]
    assert platform.query(f"{allowed} order by 1") == preferences
    assert platform.query(scored) == [("ada", "book")]

    platform.land(
        consent("later", 55, user_id="ada", properties={"signals": {"like": True}}), object_id="3"
    )
    platform.process()

    preferences[0] = ("ada", True, [])
    assert platform.query(f"{allowed} order by 1") == preferences
