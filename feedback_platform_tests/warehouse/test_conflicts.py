"""What happens to feedback that contradicts itself: each rule, worked out by hand.

A brief look of no length has a score of 0.3 and a trifle, a long one 0.789, a long use 1.0. The
constants are those of score_rules.csv: scores conflict when they are half the scale apart, the
implicit side then counts a quarter, and of the confidence two thirds remain, after a bounce a half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import pytest

from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

# Four deviations below the mean on the logarithmic scale, and two above it (e^6 - 1 is about 402).
BRIEF = 0.3 + 0.5 * NormalDist().cdf(-4)
LONG = 0.3 + 0.5 * NormalDist().cdf(2)
LONG_MILLISECONDS = math.expm1(6)


@dataclass(frozen=True)
class Case:
    """What a user did, a day after another where `days` says so, and what comes of it."""

    name: str
    events: tuple[tuple[str, float | None], ...]
    resolution: str
    score: float
    confidence: float
    days: bool = True


RATED_5, RATED_2, RATED_HALF = ("item_rated", 5.0), ("item_rated", 2.0), ("item_rated", 0.5)
LIKED, DISMISSED, CLICKED = ("item_liked", None), ("item_dismissed", None), ("item_clicked", None)
GLANCED, LOOKED = ("item_viewed", 0.0), ("item_viewed", LONG_MILLISECONDS)
USED = ("item_used", LONG_MILLISECONDS)


def _over_implicit(
    explicit: float, belief: float, implicit: float, implicit_belief: float
) -> float:
    """What was said, and a quarter of what was done."""
    return (explicit * belief + implicit * implicit_belief / 4) / (belief + implicit_belief / 4)


def _halved(score: float, weight: float, days: int) -> tuple[float, float]:
    """A score and its weight after some days."""
    return score, weight * 0.5 ** (days / 30)


CASES = (
    # Five stars and an immediate bounce: the stars win, and are believed half.
    Case(
        "five stars, and bounces",
        (RATED_5, GLANCED),
        "explicit_over_bounce",
        _over_implicit(1.0, 0.9, BRIEF, 0.15),
        (1 - 0.1 * 0.85) / 2,
        days=False,
    ),
    # Clicks led there. With them what was done comes to 0.53, less than half the scale away from
    # the like; but the look itself is 0.3.
    Case(
        "clicks, bounces and likes",
        (CLICKED, CLICKED, GLANCED, LIKED),
        "explicit_over_bounce",
        _over_implicit(1.0, 0.8, (2 * 0.6 * 0.25 + BRIEF * 0.15) / 0.65, 1 - 0.75 * 0.75 * 0.85),
        (1 - 0.2 * 0.75 * 0.75 * 0.85) / 2,
        days=False,
    ),
    # Two looks in one visit: not a bounce, but still far from five stars.
    Case(
        "five stars, and glances twice",
        (RATED_5, GLANCED, GLANCED),
        "explicit_over_implicit",
        _over_implicit(1.0, 0.9, BRIEF, 1 - 0.85 * 0.85),
        (1 - 0.1 * 0.85 * 0.85) * 2 / 3,
        days=False,
    ),
    Case(
        "five stars, glances and uses",
        (RATED_5, GLANCED, USED),
        "none",
        (0.9 + (1.0 * 0.4 + BRIEF * 0.15) / 0.55 * 0.49) / (0.9 + 0.49),  # 1 - 0.6 x 0.85 = 0.49
        1 - 0.1 * 0.6 * 0.85,
        days=False,
    ),
    # How long it was used nobody believes, but it was no bounce.
    Case(
        "five stars, glances and uses for ages",
        (RATED_5, GLANCED, ("item_used", 1e12)),
        "explicit_over_implicit",
        _over_implicit(1.0, 0.9, BRIEF, 0.15),
        (1 - 0.1 * 0.85) * 2 / 3,
        days=False,
    ),
    # Nobody knows how long the look was.
    Case(
        "five stars, and looks unmeasured",
        (RATED_5, ("item_viewed", None)),
        "none",
        (0.9 + 0.55 * 0.075) / 0.975,
        1 - 0.1 * 0.925,
        days=False,
    ),
    Case(
        "half a star, and bounces",
        (RATED_HALF, GLANCED),
        "none",
        BRIEF * 0.15 / 1.05,
        1 - 0.1 * 0.85,
        days=False,
    ),
    Case(
        "dismisses, and uses",
        (DISMISSED, USED),
        "explicit_over_implicit",
        _over_implicit(0.0, 0.8, 1.0, 0.4),
        (1 - 0.2 * 0.6) * 2 / 3,
        days=False,
    ),
    Case("likes, then dismisses", (LIKED, DISMISSED), "latest_opinion", 0.0, 0.8),
    Case("dismisses, then likes", (DISMISSED, LIKED), "latest_opinion", 1.0, 0.8),
    Case("likes twice", (LIKED, LIKED), "none", 1.0, 0.8),
    Case("two stars, then five", (RATED_2, RATED_5), "latest_rating", 1.0, 0.9),
    Case("five stars twice", (RATED_5, RATED_5), "none", 1.0, 0.9),
    Case("five, two and five stars", (RATED_5, RATED_2, RATED_5), "latest_rating", 1.0, 0.9),
    Case("five stars, then dismisses", (RATED_5, DISMISSED), "latest_statement", 0.0, 0.8),
    Case("dismisses, then five stars", (DISMISSED, RATED_5), "latest_statement", 1.0, 0.9),
    # Half the scale is far enough, a little less is not: then both speak, the older a day weaker.
    Case("2.75 stars, then likes", (("item_rated", 2.75), LIKED), "latest_statement", 1.0, 0.8),
    Case(
        "three stars, then likes",
        (("item_rated", 3.0), LIKED),
        "none",
        (2.5 / 4.5 * _halved(0, 0.9, 1)[1] + 0.8) / (_halved(0, 0.9, 1)[1] + 0.8),
        1 - 0.2 * (1 - _halved(0, 0.9, 1)[1]),
    ),
    # Where several rules apply, the first in the order of the macro is named.
    Case(
        "two stars, then five, and bounces",
        (RATED_2, RATED_5, GLANCED),
        "explicit_over_bounce",
        _over_implicit(1.0, 0.9, BRIEF, 0.15),
        (1 - 0.1 * 0.85) / 2,
        days=False,
    ),
    Case(
        "likes, dismisses, and uses",
        (LIKED, DISMISSED, USED),
        "explicit_over_implicit",
        _over_implicit(0.0, 0.8, 1.0, 0.4),
        (1 - 0.2 * 0.6) * 2 / 3,
        days=False,
    ),
    Case(
        "likes, dismisses, then five stars",
        (LIKED, DISMISSED, RATED_5),
        "latest_statement",
        1.0,
        0.9,
    ),
    Case(
        "five stars, half a star, likes, dismisses",
        (RATED_5, RATED_HALF, LIKED, DISMISSED),
        "latest_opinion",
        0.0,
        1 - 0.2 * (1 - _halved(0, 0.9, 2)[1]),
    ),
)


def _events(case: Case) -> list[dict[str, Any]]:
    """The user's events: minutes apart, in one visit, or days apart."""
    return [
        event(
            f"{case.name} {number}",
            event_type,
            user_id=case.name,
            item_id="film",
            occurred_at=f"2026-02-{number:02d}T12:00:00Z"
            if case.days
            else f"2026-02-01T12:00:0{number}Z",
            **({} if value is None else {"value": value}),
        )
        for number, (event_type, value) in enumerate(case.events, start=1)
    ]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("conflicts"), project)
    long_ago = {"value": 0, "occurred_at": "2019-03-01T12:00:00Z"}
    platform.land(
        *[line for case in CASES for line in _events(case)],
        event("glance", "item_viewed", user_id="decayed", item_id="film", **long_ago),
        event("stars", "item_rated", user_id="decayed", item_id="film", value=5),
        event("use", "item_used", user_id="unbelieved", item_id="film", value=1e12),
        object_id="1",
    )
    platform.process()
    return platform


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_conflict_has_a_stated_outcome(worked: SmallPlatform, case: Case) -> None:
    (score,) = worked.records("from feedback.feedback_scores where user_id = ?", [case.name])

    assert score["resolution"] == case.resolution
    assert score["is_conflicting"] is (case.resolution != "none")
    # Seconds between the events of a visit are worth some millionths.
    assert score["feedback_score"] == pytest.approx(case.score, abs=2e-6)
    assert score["confidence"] == pytest.approx(case.confidence, abs=2e-6)


def test_a_later_visit_that_lasts_takes_the_bounce_back(platform: SmallPlatform) -> None:
    glance = event("glance", "item_viewed", item_id="film", value=0)
    platform.land(event("stars", "item_rated", item_id="film", value=5), glance, object_id="1")
    platform.process()
    resolution = "select resolution from feedback.feedback_scores"
    assert platform.query(resolution) == [("explicit_over_bounce",)]

    look = {"value": LONG_MILLISECONDS, "occurred_at": "2026-03-01T20:00:00Z"}
    platform.land(event("look", "item_viewed", item_id="film", **look), object_id="2")
    platform.process()

    # The mean of both looks is 0.542, less than half the scale below five stars.
    assert platform.query(resolution) == [("none",)]
    assert platform.tables() == platform.rebuilt().stored()


def test_a_glance_that_has_decayed_to_nothing_weakens_no_rating(worked: SmallPlatform) -> None:
    (score,) = worked.records("from feedback.feedback_scores where user_id = 'decayed'")
    assert score["resolution"] == "none"
    assert score["confidence"] == 0.9
    assert score["implicit_count"] == 0


def test_what_nobody_believes_alone_is_no_score(worked: SmallPlatform) -> None:
    of_user = "where user_id = 'unbelieved'"
    assert worked.query(f"select confidence from feedback.user_feedback {of_user}") == [(0.0,)]
    assert worked.query(f"from feedback.feedback_scores {of_user}") == []


def test_each_rule_is_described_where_the_column_is(project: DbtProject) -> None:
    (column,) = [
        node["columns"]["resolution"]
        for node in project.manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"] == "feedback_scores"
    ]
    (test,) = [
        node
        for node in project.manifest["nodes"].values()
        if node["resource_type"] == "test" and node["column_name"] == "resolution"
    ]

    assert column["description"]
    assert set(test["test_metadata"]["kwargs"]["values"]) == {case.resolution for case in CASES}
