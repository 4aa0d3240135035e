from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranker_features import FEATURES, Candidates, features
from feedback_platform.learning.ranker_history import History, history
from feedback_platform_tests.learning.frames import at, items_of, scores_of
from feedback_platform_tests.learning.ranker_frames import chains, shown_of

DAY = 24
ITEMS = items_of(("a", None, ["x"]), ("b", None, ["x", "y"]), ("c", None, ["y"]), ("d", None, []))
SCORES = scores_of(
    ("u", "a", 0.9, 1.0, 0),
    ("v", "a", 0.7, 1.0, 20 * DAY),
    ("v", "b", 0.8, 1.0, 35 * DAY),
    ("u", "c", 0.1, 1.0, 36 * DAY),
    ("w", "d", 1.0, 1.0, 50 * DAY),
)
SHOWN = shown_of(
    ("u", "b", 20 * DAY + 1, True), ("u", "b", 20 * DAY + 30, False), ("u", "c", 21 * DAY, False)
)
KNOWN = history(SCORES, ITEMS, ["a", "b", "c", "d"], shown=SHOWN)
SAID = np.array([[2.0, 0.0], [1.0, 3.0], [0.0, 1.0], [-1.0, -1.0]], dtype=np.float32)


def asked(user: str = "u", hours: float = 40 * DAY) -> Candidates:
    return Candidates(user, at(hours), np.arange(4), SAID)


def log(value: float) -> float:
    """The logarithm of one more, as precise as the rounded features."""
    return round(float(np.log1p(value)), 4)


def named(candidates: Candidates, known: History = KNOWN) -> dict[str, list[float]]:
    columns = features(known, candidates).T
    return {
        name: [round(float(value), 4) for value in column]
        for name, column in zip(["first", "second", *FEATURES], columns, strict=True)
    }


def test_each_feature_worked_by_hand() -> None:
    found = named(asked())
    assert found["first"] == [2, 1, 0, -1]
    assert found["mean_score"] == [1, 2, 0.5, -1]
    # The best places are 1, 1, 2, 4, and the worst 3, 2, 3, 4.
    assert found["best_place"] == [1, 1, 1.585, 2.3219]
    assert found["worst_place"] == [2, 1.585, 2, 2.3219]
    assert found["popularity"] == [log(2), log(1), 0, 0]
    assert found["popularity_30_days"] == [log(1), log(1), 0, 0]
    assert found["popularity_7_days"] == [0, log(1), 0, 0]
    assert found["trend"] == [-log(1), 0, 0, 0]
    # (0.9 + 0.7 + 5 · 0.5) / 7, and the middle of the scale where nobody liked it.
    assert found["item_score"] == [0.5857, 0.55, 0.5, 0.5]
    assert found["item_idle_days"][:2] == [log(20), log(5)]
    assert found["item_age_days"][:2] == [log(40), log(5)]
    assert np.isnan(found["item_age_days"][2:]).all()
    assert found["user_feedback"] == [log(2)] * 4
    # One liked of two: (1 + 2.5) / 7.
    assert found["user_liking"] == [0.5] * 4
    assert found["user_idle_days"] == [log(4)] * 4
    assert found["category_affinity"] == [1, 0.5, 0, 0]
    assert found["category_aversion"] == [0, 0.5, 1, 0]
    # x: 1 of 1.5 items is known; y: 1 of 1.5.
    assert found["category_known"] == [0.6667, 0.6667, 0.6667, 0]
    assert found["times_shown"] == [0, log(2), log(1), 0]
    assert found["times_clicked"] == [0, log(1), 0, 0]
    # x: half a click of one impression; y: half a click of two. (0.5 + 1) / (1 + 10) and so on.
    assert found["category_clicks"] == [0.1364, 0.1307, 0.125, 0]
    assert found["item_clicks"] == [0.1, 0.1667, 0.0909, 0.1]


@pytest.mark.parametrize("hours", [0, 20 * DAY, 35 * DAY, 40 * DAY])
def test_features_know_nothing_from_after_their_instant(hours: float) -> None:
    before = SCORES.filter(pl.col("last_feedback_at") <= at(hours))
    shown = SHOWN.filter(pl.col("shown_at") <= at(hours))
    then = history(before, ITEMS, ["a", "b", "c", "d"], shown=shown)
    # What follows what is learned like a source; it is that of the cut in both.
    later = replace(KNOWN, sequences=then.sequences)
    for user in "uvw":
        assert features(later, asked(user, hours)) == pytest.approx(
            features(then, asked(user, hours)), nan_ok=True
        )


def test_impressions_count_for_a_month() -> None:
    # An hour until it counts, and thirty days that it does.
    known = history(SCORES, ITEMS, ["a", "b", "c", "d"], shown=shown_of(("u", "b", 0, True)))

    def found(hours: float) -> dict[str, list[float]]:
        return named(asked(hours=hours), known)

    for hours, times in ((0.9, 0), (1.1, 1), (30 * DAY + 0.9, 1), (30 * DAY + 1.1, 0)):
        assert found(hours)["times_shown"][1] == log(times)
        assert found(hours)["times_clicked"][1] == log(times)
    assert found(30 * DAY + 1.1)["item_clicks"] == found(0.9)["item_clicks"]


def test_only_the_last_items_until_the_instant_say_what_follows() -> None:
    scores = chains(users=40, items=20, length=6)
    ids = scores["item_id"].unique().sort().to_list()
    # A category of items that nobody can be shown counts for nothing.
    known = history(scores, ITEMS, ids)
    own = scores.filter(pl.col("user_id") == "u003").sort("last_feedback_at")
    third = own.row(2, named=True)
    candidates = Candidates(
        "u003", third["last_feedback_at"], np.arange(20), np.zeros((20, 1), dtype=np.float32)
    )
    follows = dict(zip(ids, features(known, candidates)[:, 1 + list(FEATURES).index("follows")],
                       strict=True))  # fmt: skip
    for item in own["item_id"][:3]:
        follows.pop(item)
    assert max(follows, key=lambda item: follows[item]) == own["item_id"][3]


def test_nobody_knows_a_stranger_and_that_is_no_error() -> None:
    found = named(asked("stranger"))
    assert found["user_feedback"] == [0] * 4
    assert found["times_shown"] == [0] * 4
    assert np.isnan(found["category_affinity"]).all()
    assert found["popularity"] == named(asked())["popularity"]


def test_before_anything_happened_everything_is_empty() -> None:
    found = named(asked(hours=-1))
    assert found["popularity"] == [0] * 4
    assert found["user_feedback"] == [0] * 4


def test_no_candidates_have_no_features() -> None:
    none = Candidates("u", at(0), np.arange(0), np.empty((0, 2), dtype=np.float32))
    assert features(KNOWN, none).shape == (0, 2 + len(FEATURES))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": np.array([0, 1, 2, 4])}, "none of the 4 known items"),
        ({"items": np.array([-1, 1, 2, 3])}, "none of the 4 known items"),
        ({"items": np.arange(3)}, "3 candidates have scores of the shape"),
        ({"scores": np.empty((4, 0), dtype=np.float32)}, "at least one source"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        features(KNOWN, replace(asked(), **change))  # type: ignore[arg-type]


def test_a_later_hour_of_the_same_day_is_later() -> None:
    early, late = asked(hours=36 * DAY), asked(hours=36 * DAY)
    late = replace(late, at=late.at + timedelta(hours=5))
    assert named(early)["user_idle_days"] < named(late)["user_idle_days"]


def test_the_order_of_the_candidates_makes_no_difference() -> None:
    order = np.array([2, 0, 3, 1])
    mixed = replace(asked(), items=order, scores=SAID[order])
    assert features(KNOWN, mixed) == pytest.approx(features(KNOWN, asked())[order], nan_ok=True)


@pytest.mark.parametrize("items", [[0, 1, 2, 3], [3, 1], [2]])
def test_who_asks_again_at_an_instant_gets_the_same(items: list[int]) -> None:
    known = history(SCORES, ITEMS, ["a", "b", "c", "d"], shown=SHOWN)
    one = replace(asked(), items=np.array(items), scores=SAID[items])
    other = replace(one, user_id="v", at=at(60 * DAY))
    first = [features(known, one), features(known, other)]
    for candidates, expected in ((one, first[0]), (one, first[0]), (other, first[1])) * 2:
        assert features(known, candidates) == pytest.approx(expected, rel=0, abs=0, nan_ok=True)
