from __future__ import annotations

from feedback_platform.learning.popularity import fit_popularity
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
