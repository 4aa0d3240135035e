from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import evaluation
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.training_data import split_at
from feedback_platform_tests.learning.frames import at, scores_of

HITS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 12)))


def test_metrics_of_a_list_worked_by_hand() -> None:
    # Hits at places 1 and 3 of 4; three items are relevant.
    hits = np.array([[True, False, True, False]])
    metrics = evaluation.metrics_of_hits(hits, np.array([3]))
    gained = 1 + 1 / 2  # 1/log2(2) + 1/log2(4)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert metrics["ndcg"][0] == pytest.approx(gained / ideal)
    assert metrics["ndcg"][0] == pytest.approx(0.7039180890341347)
    assert metrics["precision"][0] == 0.5
    assert metrics["recall"][0] == pytest.approx(2 / 3)
    assert metrics["average_precision"][0] == pytest.approx((1 + 2 / 3) / 3)
    assert metrics["hit_rate"][0] == 1
    assert metrics["reciprocal_rank"][0] == 1


def test_the_ideal_list_holds_no_more_than_k() -> None:
    metrics = evaluation.metrics_of_hits(np.array([[True, True]]), np.array([50]))
    assert metrics["ndcg"][0] == 1
    assert metrics["recall"][0] == pytest.approx(0.04)
    assert metrics["average_precision"][0] == pytest.approx(0.04)


def test_a_list_without_hits_is_worth_nothing() -> None:
    metrics = evaluation.metrics_of_hits(np.zeros((1, 5), dtype=bool), np.array([2]))
    assert [values[0] for values in metrics.values()] == [0] * 6


def test_reciprocal_rank_is_that_of_the_first_hit() -> None:
    hits = np.array([[False, False, True, True], [False, True, False, False]])
    metrics = evaluation.metrics_of_hits(hits, np.array([2, 1]))
    assert metrics["reciprocal_rank"].tolist() == [pytest.approx(1 / 3), 0.5]


@given(hits=HITS, data=st.data())
def test_every_metric_is_between_0_and_1(hits: NDArray[np.bool_], data: st.DataObject) -> None:
    least = np.maximum(hits.sum(axis=1), 1)
    more = data.draw(hnp.arrays(np.int64, len(hits), elements=st.integers(0, 30)))
    for values in evaluation.metrics_of_hits(hits, least + more).values():
        assert ((values >= 0) & (values <= 1)).all()


@given(hits=HITS, data=st.data())
def test_the_order_of_users_makes_no_difference(
    hits: NDArray[np.bool_], data: st.DataObject
) -> None:
    relevant = np.maximum(hits.sum(axis=1), 1)
    order = np.array(data.draw(st.permutations(range(len(hits)))))
    straight = evaluation.metrics_of_hits(hits, relevant)
    permuted = evaluation.metrics_of_hits(hits[order], relevant[order])
    for metric, values in straight.items():
        assert (values[order] == permuted[metric]).all()


@given(hits=HITS)
def test_ndcg_grows_when_a_hit_moves_up(hits: NDArray[np.bool_]) -> None:
    relevant = np.maximum(hits.sum(axis=1), 1)
    best = -np.sort(-hits.astype(np.int8), axis=1) > 0
    as_is = evaluation.metrics_of_hits(hits, relevant)["ndcg"]
    assert (evaluation.metrics_of_hits(best, relevant)["ndcg"] >= as_is).all()


def test_a_model_is_evaluated_over_unseen_items_and_unknown_ones_count() -> None:
    before = scores_of(("ann", "a", 0.9, 1, 1), ("bob", "b", 0.9, 1, 1), ("cat", "c", 0.1, 1, 1))
    now = scores_of(
        *[("ann", "a", 0.9, 1, 1), ("bob", "b", 0.9, 1, 1), ("cat", "c", 0.1, 1, 1)],
        ("ann", "c", 0.9, 1, 9),
        ("bob", "a", 0.9, 1, 9),
        ("bob", "new", 0.9, 1, 9),  # not in the model's catalogue
    )
    model = Popularity(("a", "b", "c"), np.array([3, 2, 1], dtype=np.float32))
    result = evaluation.evaluate(model, split_at(before, now, at(5)), k=2)
    # ann sees b, c: a hit at place 2 of 1 relevant. bob sees a, c: at place 1 of 2.
    assert result.user_ids == ("ann", "bob")
    ideal = 1 + 1 / math.log2(3)
    assert result.per_user["ndcg"].tolist() == pytest.approx([1 / math.log2(3), 1 / ideal])
    assert result.per_user["recall"].tolist() == [1, 0.5]
    assert result.means()["precision_at_2"] == 0.5
    assert result.means()["coverage_at_2"] == 1


def test_coverage_counts_distinct_items() -> None:
    assert evaluation.coverage(np.array([[0, 1], [1, -1]]), 4) == 0.5
    assert evaluation.coverage(np.empty((0, 2), dtype=np.int64), 0) == 0


def _evaluation(ndcg: list[float], k: int = 10) -> evaluation.Evaluation:
    users = tuple(str(user) for user in range(len(ndcg)))
    return evaluation.Evaluation(k, users, {"ndcg": np.array(ndcg)}, 1)


def test_interval_of_a_difference_is_that_of_the_mean() -> None:
    generator = np.random.default_rng(1)
    second = generator.uniform(size=400)
    first = second + generator.normal(0.1, 0.2, 400)
    result = evaluation.difference(_evaluation([*first]), _evaluation([*second]), seed=1)
    differences = first - second
    # For 400 users the bootstrap and the normal interval agree.
    half = 1.96 * differences.std() / 20
    assert result.mean == pytest.approx(differences.mean())
    assert result.low == pytest.approx(differences.mean() - half, abs=0.003)
    assert result.high == pytest.approx(differences.mean() + half, abs=0.003)
    again = evaluation.difference(_evaluation([*first]), _evaluation([*second]), seed=1)
    assert again == result


def test_evaluations_of_different_users_are_not_compared() -> None:
    with pytest.raises(InvalidInputError, match="same users"):
        evaluation.difference(_evaluation([1, 0]), _evaluation([1]), seed=1)
    with pytest.raises(InvalidInputError, match="same k"):
        evaluation.difference(_evaluation([1]), _evaluation([1], k=5), seed=1)
