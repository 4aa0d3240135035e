from __future__ import annotations

from datetime import timedelta

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.popularity import Popularity, fit_popularity
from feedback_platform_tests.learning.frames import scores_of

SCORES = scores_of(
    ("ann", "a", 0.9, 0.5, 1),
    ("bob", "a", 0.5, 0.25, 1),
    ("cat", "a", 0.1, 1.0, 1),  # negative: confidence counts for nothing
    ("ann", "b", 0.8, 1.0, 1),
    ("bob", "c", 0.2, 1.0, 1),
)


def test_popularity_is_the_confidence_of_positive_scores() -> None:
    popularity = fit_popularity(SCORES)
    assert popularity.item_ids == ("a", "b", "c")
    assert popularity.weights.tolist() == [0.75, 1.0, 0.0]


def test_a_given_catalogue_keeps_its_order_and_its_unliked_items() -> None:
    popularity = fit_popularity(SCORES, item_ids=["z", "b", "a"])
    assert popularity.scores(["ann", "who"]).tolist() == [[0.0, 1.0, 0.75]] * 2


def test_row_order_changes_no_bit() -> None:
    rows = [(f"u{n}", "a", 0.9, n / 97, 1) for n in range(90)]
    straight, back = fit_popularity(scores_of(*rows)), fit_popularity(scores_of(*rows[::-1]))
    assert straight.weights.tobytes() == back.weights.tobytes()


def test_with_a_half_life_old_feedback_counts_less() -> None:
    frame = scores_of(
        ("ann", "a", 0.9, 1.0, 0),  # two half-lives before the newest feedback
        ("bob", "a", 0.9, 0.8, 24),
        ("cat", "b", 0.9, 0.6, 48),
        ("dan", "c", 0.1, 1.0, 48),
    )
    popularity = fit_popularity(frame, half_life=timedelta(days=1))
    assert popularity.weights.tolist() == pytest.approx([0.25 + 0.4, 0.6, 0])
    with pytest.raises(InvalidInputError, match="above 0"):
        fit_popularity(frame, half_life=timedelta(0))


def test_a_stored_popularity_is_the_same() -> None:
    data = fit_popularity(SCORES).to_bytes()
    back = Popularity.from_bytes(data)
    assert back.item_ids == ("a", "b", "c")
    assert back.weights.tolist() == [0.75, 1.0, 0.0]
    assert back.to_bytes() == data
    with pytest.raises(InvalidInputError, match="popularity is damaged"):
        Popularity.from_bytes(data[:-30])
