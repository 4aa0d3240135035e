"""Ratings inferred from similar users, worked out by hand, and where they may not go.

Stars are scores: half a star 0, 2.75 stars 0.5, five stars 1.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from feedback_platform.settings import PROJECT_DIR
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

BAD, FAIR, GOOD = 0.5, 2.75, 5.0

# ada, bob and eve agree on three films; mal says the opposite; tom has two in common with ada.
RATINGS = {
    "ada": {"a": GOOD, "b": BAD, "c": FAIR},
    "bob": {"a": GOOD, "b": BAD, "c": FAIR, "new": GOOD, "odd": BAD},
    "eve": {"a": GOOD, "b": BAD, "c": FAIR, "new": FAIR},
    "mal": {"a": BAD, "b": GOOD, "c": FAIR, "new": BAD},
    "tom": {"a": GOOD, "b": BAD, "new": BAD},
    "zoe": {"x": GOOD, "y": GOOD, "z": GOOD},
}
INFERRED = "from features.inferred_ratings_as_of({})"


def _rating(user: str, item: str, stars: float, **fields: Any) -> dict[str, Any]:
    return event(f"{user} {item}", "item_rated", user_id=user, item_id=item, value=stars, **fields)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("inferred"), project)
    platform.land(
        *[
            _rating(user, item, stars)
            for user, rated in RATINGS.items()
            for item, stars in rated.items()
        ],
        event("look", "item_viewed", user_id="ada", item_id="new", value=54),
        object_id="1",
    )
    platform.process()
    return platform


def _similarity(own: list[float], own_mean: float, other: list[float], other_mean: float) -> float:
    """Pearson's correlation over the three films in common, three twentieths of it."""
    mine = [score - own_mean for score in own]
    theirs = [score - other_mean for score in other]
    product = sum(x * y for x, y in zip(mine, theirs, strict=True))
    size = sum(x * x for x in mine) * sum(y * y for y in theirs)
    return product / math.sqrt(size) * 3 / 20


def test_a_rating_is_inferred_from_the_users_who_agree(worked: SmallPlatform) -> None:
    rows = worked.records(INFERRED.format("timestamp '2100-01-01'") + " where user_id = 'ada'")

    # Means: ada 1.5/3, bob 2.5/5 and eve 2.0/4, all a half.
    common = [1.0, 0.0, 0.5]
    bob = _similarity(common, 0.5, common, 0.5)
    eve = _similarity(common, 0.5, common, 0.5)
    assert bob == eve == 0.15
    assert rows == [
        {
            "user_id": "ada",
            "item_id": "new",
            # bob is half the scale above his mean, eve at hers.
            "rating": pytest.approx(0.5 + (bob * 0.5 + eve * 0.0) / (bob + eve)),
            # Two neighbours are believed 1 - 0.85 x 0.85, an imputed value half of that.
            "confidence": pytest.approx((1 - 0.85 * 0.85) / 2),
            "neighbours": 2,
            "is_imputed": True,
        }
    ]


def test_what_only_one_neighbour_rated_is_not_inferred(worked: SmallPlatform) -> None:
    rows = worked.query(
        "select user_id, item_id " + INFERRED.format("timestamp '2100-01-01'") + " order by all"
    )

    # `odd` is bob's alone; mal agrees with nobody, and zoe has nothing in common with anybody.
    assert ("ada", "odd") not in rows
    assert {user for user, _ in rows}.isdisjoint({"mal", "zoe"})
    # What somebody rated is never inferred.
    assert not {(user, item) for user, rated in RATINGS.items() for item in rated} & set(rows)


def test_nothing_is_inferred_from_ratings_of_later(worked: SmallPlatform) -> None:
    # All ratings are of noon.
    assert worked.query(INFERRED.format("timestamp '2026-03-01 12:00:00'")) == []
    assert worked.query(INFERRED.format("timestamp '2026-03-01 12:00:01'")) != []


def test_an_inferred_rating_is_no_feedback(worked: SmallPlatform) -> None:
    assert worked.query(
        "select explicit_score from feedback.feedback_scores "
        "where user_id = 'ada' and item_id = 'new'"
    ) == [(None,)]
    assert worked.query(
        "select count(*) from feedback.user_feedback where user_id = 'ada' and signal = 'rating'"
    ) == [(3,)]


def test_nothing_that_learns_or_measures_reads_inferred_ratings() -> None:
    package = PROJECT_DIR / "feedback_platform"
    mentioning = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "inferred_ratings_as_of" in path.read_text()
    }

    assert mentioning == {"warehouse/publishing.py"}
