from __future__ import annotations

import numpy as np
import pytest

from feedback_platform.learning import ranker_sequences
from feedback_platform.learning.ranker_sequences import fit_sequences
from feedback_platform_tests.learning.frames import scores_of
from feedback_platform_tests.learning.ranker_frames import chains


def test_what_came_next_worked_by_hand() -> None:
    scores = scores_of(("u", "a", 0.9, 1.0, 0), ("u", "b", 0.2, 1.0, 1), ("u", "c", 0.9, 1.0, 2))
    model = fit_sequences(scores, ["a", "b", "c", "d"])
    # Each was taken once: divided by the roots of 1 + 5, of the one and (0.3) of the other.
    scale = 6**-0.5 * 6**-0.3
    expected = np.array([[0, 1, 0.5, 0], [0.7, 0, 1, 0], [0.35, 0.7, 0, 0], [0, 0, 0, 0]])
    assert model.weights.toarray() == pytest.approx(expected * scale)
    # c was the last, b the one before and a the first.
    newest_first = expected[2] + 0.8 * expected[1] + 0.64 * expected[0]
    assert model.scores(["u"])[0] == pytest.approx(newest_first * scale)
    assert model.scores(["who"]).tolist() == [[0, 0, 0, 0]]


def test_one_users_end_and_anothers_beginning_are_not_near_each_other() -> None:
    model = fit_sequences(scores_of(("u", "a", 0.9, 1.0, 0), ("v", "b", 0.9, 1.0, 1)), ["a", "b"])
    assert model.weights.nnz == 0


def test_items_that_nobody_can_be_shown_are_left_out() -> None:
    scores = scores_of(("u", "a", 0.9, 1.0, 0), ("u", "gone", 0.9, 1.0, 1), ("u", "c", 0.9, 1.0, 2))
    model = fit_sequences(scores, ["a", "c"])
    assert model.weights.toarray()[0, 1] == pytest.approx(7**0.0 * 6**-0.8)


def test_the_order_of_the_rows_makes_no_difference() -> None:
    scores = chains(users=30)
    ids = scores["item_id"].unique().sort().to_list()
    one = fit_sequences(scores, ids)
    other = fit_sequences(scores.sample(fraction=1, shuffle=True, seed=1), ids)
    assert np.array_equal(one.scores(["u001", "u007"]), other.scores(["u001", "u007"]))


def test_only_the_newest_feedback_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = chains(users=30)
    ids = scores["item_id"].unique().sort().to_list()
    newest = scores.sort("last_feedback_at", "user_id", "item_id").tail(50)
    expected = fit_sequences(newest, ids).weights.toarray()
    monkeypatch.setattr(ranker_sequences, "_MOST", 50)
    assert np.array_equal(fit_sequences(scores, ids).weights.toarray(), expected)


def test_a_few_items_get_what_all_items_would() -> None:
    scores = chains(users=40, items=30)
    model = fit_sequences(scores, scores["item_id"].unique().sort().to_list())
    few = np.array([29, 3, 17, 0])
    for last in model.last.values():
        assert model.of(few, last) == pytest.approx(model.after(last)[few])
    assert model.of(few, np.empty(0, dtype=np.int64)).tolist() == [0, 0, 0, 0]
