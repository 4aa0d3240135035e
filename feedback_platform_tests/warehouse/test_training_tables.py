"""What training reads: of one publication, and of a time nothing from after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import duckdb
import pytest

from feedback_platform.learning.ranker_features import SHOWN_DAYS
from feedback_platform.learning.ranker_history import SETTLING
from feedback_platform.learning.ranker_lists import LISTS_SCHEMA
from feedback_platform.warehouse import training_tables
from feedback_platform.warehouse.training_tables import open_for_training
from feedback_platform_tests.seeds import seeds
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

CUT = datetime(2026, 3, 1, 13, tzinfo=UTC)
BEFORE, AFTER = "2026-03-01T12:00:00Z", "2026-03-01T14:00:00Z"


def known(publication: duckdb.DuckDBPyConnection, cut: datetime) -> list[list[dict[str, Any]]]:
    """All that a training sees of the time before a cut."""
    return [
        frame.to_dicts()
        for frame in (
            training_tables.training_scores(publication, cut),
            training_tables.items(publication, cut),
            training_tables.users(publication, cut),
            training_tables.shown_impressions(publication, cut),
        )
    ]


def _time(line: dict[str, Any] | bytes) -> datetime:
    assert isinstance(line, dict)
    return datetime.fromisoformat(line["occurred_at"])


@pytest.mark.parametrize("seed", seeds(1))
def test_events_from_after_the_cut_change_nothing_that_training_sees(
    platform: SmallPlatform, seed: int
) -> None:
    random = Random(seed)
    hours = [random_hour(random) for _ in range(10)]
    objects = [(hour, random_object(random, hour)) for hour in hours]
    for number, (_, lines) in enumerate(objects):
        # An id of its own for each: which of two deliveries counts is another matter.
        lines[:] = [
            line | {"event_id": f"{number}-{place}"}
            for place, line in enumerate(lines)
            # What users allow today counts for the past, too.
            if isinstance(line, dict) and line["event_type"] != "consent_changed"
        ]
    times = sorted(_time(line) for _, lines in objects for line in lines)
    cut = times[random.randrange(len(times) // 3, len(times) * 4 // 5)]

    def land(name: str, *, is_after: bool) -> None:
        for number, (hour, lines) in enumerate(objects):
            chosen = [line for line in lines if (_time(line) >= cut) == is_after]
            if chosen:
                platform.land(*chosen, received_at=hour, object_id=f"{name}{number}")

    land("before", is_after=False)
    platform.process()
    with open_for_training(platform.published) as publication:
        before = known(publication, cut)
    land("after", is_after=True)
    platform.process()

    with open_for_training(platform.published) as publication:
        assert known(publication, cut) == before
        assert all(before[:3])
        # So the later events do say something.
        assert known(publication, datetime(2100, 1, 1, tzinfo=UTC)) != before


def test_a_category_and_an_attribute_that_change_later_were_as_they_were(
    platform: SmallPlatform,
) -> None:
    film: dict[str, Any] = {"user_id": None, "item_id": "film"}

    def said(at: str, category: str, plan: str) -> list[dict[str, Any]]:
        return [
            event(
                f"film {at}",
                "item_updated",
                **film,
                occurred_at=at,
                properties={"categories": [category]},
            ),
            event(f"user {at}", "user_updated", occurred_at=at, properties={"plan": plan}),
        ]

    platform.land(
        event("like", "item_liked", item_id="film", occurred_at=BEFORE),
        event("new", "item_liked", item_id="new", user_id="u2", occurred_at=AFTER),
        *said(BEFORE, "war", "free"),
        *said(AFTER, "love", "paid"),
        object_id="1",
    )
    platform.process()

    with open_for_training(platform.published) as publication:
        assert training_tables.items(publication)["categories"].to_list() == [["love"], []]
        assert training_tables.users(publication)["attributes"].to_list() == [["plan:paid"], []]
        scores, items, users, _ = known(publication, CUT)
    assert [row["item_id"] for row in scores] == ["film"]
    assert items == [{"item_id": "film", "title": None, "categories": ["war"]}]
    assert users == [{"user_id": "u1", "attributes": ["plan:free"]}]


def test_an_item_is_unavailable_while_it_was_last_said_to_be(platform: SmallPlatform) -> None:
    def said(item: str, at: str, **properties: Any) -> dict[str, Any]:
        described = {"user_id": None, "item_id": item, "properties": properties}
        return event(f"{item} {at}", "item_updated", occurred_at=at, **described)

    platform.land(
        said("sold out", BEFORE, is_available=True),
        said("sold out", AFTER, is_available=False),
        said("back again", BEFORE, is_available=False),
        said("back again", AFTER, is_available=True),
        said("as text", BEFORE, is_available="false"),
        said("no answer", BEFORE, is_available="perhaps"),
        said("unsaid", BEFORE, title="Unsaid"),
        object_id="1",
    )
    platform.process()

    with open_for_training(platform.published) as publication:
        assert training_tables.unavailable_items(publication) == ["as text", "sold out"]


def test_an_impression_is_clicked_when_its_item_is_in_its_list_within_the_hour(
    platform: SmallPlatform,
) -> None:
    def listed(kind: str, item: str, minute: float, in_list: str, **more: Any) -> dict[str, Any]:
        at = (CUT + timedelta(minutes=minute)).isoformat()
        fields = {"item_id": item, "recommendation_id": in_list, "occurred_at": at, **more}
        return event(f"{kind} {item} {minute}", f"item_{kind}", **fields)

    def shown(item: str, minute: float, in_list: str = "r1") -> dict[str, Any]:
        return listed("impression", item, minute, in_list, position=1, propensity=0.25)

    platform.land(
        shown("clicked", -90),
        listed("clicked", "clicked", -31, "r1"),
        shown("clicked late", -90),
        listed("clicked", "clicked late", -29, "r1"),
        shown("clicked in another list", -90),
        listed("clicked", "clicked in another list", -80, "r2"),
        shown("clicked after the cut", -10),
        listed("clicked", "clicked after the cut", 10, "r1"),
        shown("shown after the cut", 1, "r3"),
        shown("long ago", -60 * 24 * 30),
        object_id="1",
    )
    platform.process()

    with open_for_training(platform.published) as publication:
        now = training_tables.shown_impressions(publication)
        then = training_tables.shown_impressions(publication, CUT)
    assert now.schema == LISTS_SCHEMA
    assert now.select("recommendation_id", "position", "propensity").row(0) == ("r1", 1, 0.25)
    hits = {"clicked": True, "clicked late": False, "clicked in another list": False}
    assert dict(now.select("item_id", "is_clicked").iter_rows()) == {
        **hits,
        "clicked after the cut": True,
        "shown after the cut": False,
    }
    assert dict(then.select("item_id", "is_clicked").iter_rows()) == {
        **hits,
        "clicked after the cut": False,
        "long ago": False,
    }
    # The ranker takes an impression for settled when no click can come any more.
    assert timedelta(seconds=SETTLING) == training_tables.CLICKED_WITHIN
    # Nor does it look at any that is older than what training reads before its earliest instant.
    assert timedelta(days=SHOWN_DAYS) == training_tables.SHOWN_FOR


def test_a_click_belongs_to_its_users_newest_impression_before_it(
    platform: SmallPlatform,
) -> None:
    def listed(kind: str, user: str, minute: float, number: int) -> dict[str, Any]:
        at = (CUT + timedelta(minutes=minute)).isoformat()
        named = {"item_id": "x", "recommendation_id": "r", "occurred_at": at, "user_id": user}
        return event(f"{kind} {user} {number}", f"item_{kind}", **named)

    platform.land(
        listed("impression", "ann", 0, 1),
        listed("impression", "ann", 5, 2),
        listed("clicked", "ann", 10, 1),
        listed("clicked", "ann", 11, 2),
        listed("impression", "ann", 300, 3),
        listed("clicked", "ann", 302, 3),
        listed("impression", "bob", 1, 1),
        object_id="1",
    )
    platform.process()

    with open_for_training(platform.published) as publication:
        found = training_tables.shown_impressions(publication)
        recent = training_tables.shown_impressions(publication, since=CUT + timedelta(minutes=299))
    assert found.select("user_id", "is_clicked").rows() == [
        ("ann", False),  # it was shown again before the click
        ("ann", True),
        ("ann", True),
        ("bob", False),  # the click was ann's
    ]
    assert recent.select("user_id", "is_clicked").rows() == [("ann", True)]


def test_imputed_values_and_outliers_are_no_ground_truth(platform: SmallPlatform) -> None:
    platform.land(
        event("like", "item_liked", item_id="liked"),
        event("imputed", "item_viewed", item_id="imputed"),
        event("outlier", "item_viewed", item_id="outlier", value=1e7),
        event("capped", "item_used", item_id="used", value=1e12),
        object_id="1",
    )
    platform.process()
    flags = "select item_id from feedback.user_feedback where is_imputed or is_outlier order by 1"
    assert platform.query(flags) == [("imputed",), ("outlier",), ("used",)]

    with open_for_training(platform.published) as publication:
        now = training_tables.training_scores(publication)
        then = training_tables.training_scores(publication, CUT)
        times = training_tables.feedback_times(publication)
        everything = training_tables.all_scores(publication)

    assert now["item_id"].to_list() == then["item_id"].to_list() == ["liked"]
    assert len(times) == 1
    # It is still known that the user has seen it.
    assert "imputed" in everything["item_id"]


def test_segments_learn_from_what_was_observed_alone(platform: SmallPlatform) -> None:
    def film(item_id: str, *categories: str) -> dict[str, Any]:
        properties = {"categories": list(categories)}
        fields: dict[str, Any] = {"user_id": None, "item_id": item_id, "properties": properties}
        return event(f"about {item_id}", "item_updated", **fields)

    platform.land(
        film("liked", "war", "drama"),
        film("imputed", "comedy"),
        event("like", "item_liked", item_id="liked"),
        event("imputed", "item_viewed", item_id="imputed"),
        object_id="1",
    )
    platform.process()

    with open_for_training(platform.published) as publication:
        affinities = training_tables.affinities(publication)

    assert affinities.rows() == [("u1", "drama", 0.5), ("u1", "war", 0.5)]
    # The features are of all feedback.
    ((present,),) = platform.query("select category_affinity from features.user_features")
    assert present.keys() == {"comedy", "drama", "war"}


def test_who_opted_out_takes_no_part_at_any_time_until_they_come_back(
    platform: SmallPlatform,
) -> None:
    def consent(event_id: str, at: str, user_id: str = "u1", **said: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {"user_id": user_id, "occurred_at": at, "properties": said}
        return event(event_id, "consent_changed", **fields)

    def participants() -> list[list[str]]:
        with open_for_training(platform.published) as publication:
            frames = (
                training_tables.training_scores(publication),
                training_tables.training_scores(publication, CUT),
                training_tables.users(publication),
                training_tables.users(publication, CUT),
                training_tables.all_scores(publication),
                training_tables.affinities(publication),
                training_tables.user_features(publication),
                training_tables.shown_impressions(publication),
                training_tables.shown_impressions(publication, CUT),
            )
            assert len(training_tables.feedback_times(publication)) == frames[0].height
        return [frame["user_id"].to_list() for frame in frames]

    # Of u3 neither the feedback nor the clicks count; users and features know that there is one.
    is_known = [[], [], ["u3"], ["u3"], [], [], ["u3"], [], []]
    film = {"user_id": None, "item_id": "film", "occurred_at": BEFORE}
    listed: dict[str, Any] = {"item_id": "film", "recommendation_id": "r", "position": 1}
    platform.land(
        event("film", "item_updated", **film, properties={"categories": ["war"]}),
        event("one", "item_liked", item_id="film", occurred_at=BEFORE),
        event("two", "item_liked", item_id="film", user_id="u2", occurred_at=BEFORE),
        event("three", "item_liked", item_id="film", user_id="u3", occurred_at=BEFORE),
        *[
            event(f"shown {user}", "item_impression", user_id=user, occurred_at=BEFORE, **listed)
            for user in ("u1", "u2", "u3")
        ],
        consent("signals", "2026-03-01T15:00:00Z", "u3", signals={"like": False, "click": False}),
        consent("no", "2026-03-01T15:00:00Z", personalisation=False),
        consent("other", "2026-03-01T16:00:00Z", research=True),
        object_id="1",
    )
    platform.process()
    assert participants() == [["u2", *signal_off] for signal_off in is_known]

    platform.land(consent("yes", "2026-03-01T17:00:00Z", personalisation=True), object_id="2")
    platform.process()
    assert participants() == [["u1", "u2", *signal_off] for signal_off in is_known]


def test_a_training_reads_one_state_whatever_is_published_meanwhile(
    platform: SmallPlatform,
) -> None:
    platform.land(event("one", "item_liked", item_id="i1"), object_id="1")
    platform.process()

    with open_for_training(platform.published) as publication:
        before = known(publication, CUT)
        platform.land(event("two", "item_liked", item_id="i2", user_id="u2"), object_id="2")
        platform.process()

        assert known(publication, CUT) == before
        assert training_tables.user_features(publication)["user_id"].to_list() == ["u1"]
    with open_for_training(platform.published) as publication:
        assert training_tables.user_features(publication)["user_id"].to_list() == ["u1", "u2"]
