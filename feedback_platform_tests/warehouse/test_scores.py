"""Feedback scores against figures worked out by hand; the weights are those of signal_weights.csv.

rating 0.9 · like and dismissal 0.8 · conversion 0.7 · use 0.4 · click 0.25 · view 0.15

What contradicts itself is in test_conflicts.py.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest

from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import REFERENCE, SmallPlatform, event


def _feedback(user: str, number: int, event_type: str, **fields: Any) -> dict[str, Any]:
    return event(f"{user}-{number}", event_type, user_id=user, item_id="film", **fields)


def _day(day: int) -> str:
    return f"2026-01-{day:02d}T12:00:00Z"


EVENTS = (
    _feedback("five stars", 1, "item_rated", value=5),
    _feedback("two stars", 1, "item_rated", value=2),
    _feedback("changed", 1, "item_rated", value=5, occurred_at=_day(1)),
    _feedback("changed", 2, "item_rated", value=2, occurred_at=_day(9)),
    _feedback("disappointed", 1, "item_liked", occurred_at=_day(1)),
    _feedback("disappointed", 2, "item_dismissed", occurred_at=_day(2)),
    _feedback("slow", 1, "item_clicked", occurred_at=_day(1)),
    _feedback("slow", 2, "item_converted", occurred_at=_day(31)),
    _feedback("asleep", 1, "item_used", value=1e7),
    _feedback("asleep, likes", 1, "item_used", value=1e7, occurred_at=_day(31)),
    _feedback("asleep, likes", 2, "item_liked", occurred_at=_day(1)),
    _feedback("unmeasured", 1, "item_viewed"),
    _feedback("rates and likes", 1, "item_rated", value=5),
    _feedback("rates and likes", 2, "item_liked"),
    _feedback("shown", 1, "item_impression"),
    event("no item", "session_started", user_id="nobody", session_id="s"),
)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("scores"), project)
    platform.land(*EVENTS, object_id="1")
    platform.process()
    return platform


def _score(worked: SmallPlatform, user: str) -> dict[str, Any]:
    (row,) = worked.records("from feedback.feedback_scores where user_id = ?", [user])
    return row


def test_five_stars_are_a_score_of_one(worked: SmallPlatform) -> None:
    assert _score(worked, "five stars") == {
        "user_id": "five stars",
        "item_id": "film",
        "explicit_score": 1.0,
        "implicit_score": None,
        "feedback_score": 1.0,
        "confidence": 0.9,
        "explicit_count": 1,
        "implicit_count": 0,
        "is_conflicting": False,
        "resolution": "none",
        "last_feedback_at": datetime(2026, 3, 1, 12),  # noqa: DTZ001 - the warehouse's are naive
    }


def test_two_stars_are_a_third_of_the_way_from_a_half_to_five(worked: SmallPlatform) -> None:
    assert _score(worked, "two stars")["feedback_score"] == pytest.approx(1.5 / 4.5, abs=1e-9)


def test_of_two_ratings_the_latest_speaks(worked: SmallPlatform) -> None:
    score = _score(worked, "changed")

    assert score["feedback_score"] == pytest.approx(1.5 / 4.5, abs=1e-9)
    assert score["confidence"] == 0.9
    assert score["explicit_count"] == 1
    assert score["resolution"] == "latest_rating"


def test_feedback_halves_in_thirty_days(worked: SmallPlatform) -> None:
    score = _score(worked, "slow")

    # The click of a month ago weighs 0.125 beside the conversion's 0.7.
    assert score["implicit_score"] == pytest.approx((0.7 + 0.6 * 0.125) / 0.825, abs=1e-9)
    assert score["feedback_score"] == score["implicit_score"]
    assert score["confidence"] == pytest.approx(1 - 0.3 * 0.875, abs=1e-9)
    assert score["implicit_count"] == 2


def test_an_outlier_is_kept_but_not_believed(worked: SmallPlatform) -> None:
    (row,) = worked.records("from feedback.user_feedback where user_id = 'asleep'")

    assert row["is_outlier"] is True
    assert row["raw_value"] == 1e7
    assert row["confidence"] == 0.0
    assert worked.records("from feedback.feedback_scores where user_id = 'asleep'") == []


def test_an_outlier_beside_other_feedback_changes_nothing(worked: SmallPlatform) -> None:
    score = _score(worked, "asleep, likes")

    assert (score["feedback_score"], score["confidence"]) == (1.0, 0.8)
    assert score["implicit_count"] == 0
    assert score["last_feedback_at"].isoformat() == "2026-01-01T12:00:00"


def test_an_imputed_value_is_believed_half_as_much(worked: SmallPlatform) -> None:
    (row,) = worked.records("from feedback.user_feedback where user_id = 'unmeasured'")
    score = _score(worked, "unmeasured")

    # The median is the mean, half way between 0.3 and 0.8.
    assert row["is_imputed"] is True
    assert row["raw_value"] == pytest.approx(math.expm1(REFERENCE.statistics[0].median))
    assert score["feedback_score"] == pytest.approx(0.55, abs=1e-9)
    assert score["confidence"] == pytest.approx(0.075, abs=1e-9)


def test_a_rating_and_a_like_both_speak(worked: SmallPlatform) -> None:
    score = _score(worked, "rates and likes")

    assert score["explicit_count"] == 2
    assert score["confidence"] == pytest.approx(1 - 0.1 * 0.2, abs=1e-9)
    assert score["resolution"] == "none"


def test_being_shown_an_item_says_nothing(worked: SmallPlatform) -> None:
    assert worked.records("from feedback.user_feedback where user_id = 'shown'") == []


def test_the_scores_of_a_time_know_nothing_after_it(worked: SmallPlatform) -> None:
    known = worked.records(
        "select user_id, feedback_score, confidence, resolution, last_feedback_at "
        "from feedback.feedback_scores_as_of(timestamp '2026-01-09 12:00:00') "
        "where user_id in ('changed', 'disappointed', 'slow', 'five stars') order by user_id"
    )

    assert [(r["user_id"], r["feedback_score"], r["resolution"]) for r in known] == [
        ("changed", 1.0, "none"),  # the second rating is given at that very moment
        ("disappointed", 0.0, "latest_opinion"),
        ("slow", 0.6, "none"),
    ]
    assert known[2]["confidence"] == 0.25
    assert known[2]["last_feedback_at"].isoformat() == "2026-01-01T12:00:00"


def test_the_scores_of_the_end_of_time_are_the_present_ones(worked: SmallPlatform) -> None:
    end = "feedback.feedback_scores_as_of(timestamp '2100-01-01')"
    order = "order by user_id, item_id"

    assert worked.query(f"from {end} {order}") == worked.query(
        f"from feedback.feedback_scores {order}"
    )
    assert worked.query("select count(*) from feedback.feedback_scores") == [(8,)]


def test_scores_and_confidences_stay_between_nothing_and_one(worked: SmallPlatform) -> None:
    ((low, high, least, most),) = worked.query(
        "select min(feedback_score), max(feedback_score), min(confidence), max(confidence) "
        "from feedback.feedback_scores"
    )

    assert 0 <= low < high <= 1
    assert 0 < least < most <= 1
