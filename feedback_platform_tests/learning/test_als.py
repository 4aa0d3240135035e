from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.als import AlsParameters, fit_als, row_strengths, solve_side
from feedback_platform.learning.preferences import Preferences, preferences
from feedback_platform_tests.learning.frames import two_tastes

PARAMETERS = AlsParameters(components=2, regularisation=0.5, confidence=3, iterations=4)
WEIGHTS = hnp.arrays(np.float32, (4, 5), elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0]))


def loss(
    weights: NDArray[np.float32],
    users: NDArray[np.float32] | NDArray[np.float64],
    items: NDArray[np.float32] | NDArray[np.float64],
    parameters: AlsParameters,
) -> float:
    """The loss over every cell, one after the other."""
    total = parameters.regularisation * float((users**2).sum() + (items**2).sum())
    for user in range(weights.shape[0]):
        for item in range(weights.shape[1]):
            confidence = 1 + parameters.confidence * weights[user, item]
            error = (weights[user, item] > 0) - users[user] @ items[item]
            total += float(confidence * error**2)
    return total


@given(weights=WEIGHTS, seed=st.integers(0, 1000))
def test_a_side_is_the_least_squares_solution_over_all_cells(
    weights: NDArray[np.float32], seed: int
) -> None:
    fixed = np.random.default_rng(seed).normal(size=(5, 2))
    solved = solve_side(sparse.csr_array(weights), fixed, PARAMETERS)
    for row, cells in enumerate(weights.astype(np.float64)):
        # Ridge regression as ordinary least squares with rows for the penalty.
        root = np.sqrt(1 + PARAMETERS.confidence * cells)
        design = np.vstack([fixed * root[:, None], np.sqrt(PARAMETERS.regularisation) * np.eye(2)])
        target = np.concatenate([root * (cells > 0), np.zeros(2)])
        expected = np.linalg.lstsq(design, target, rcond=None)[0]
        assert solved[row] == pytest.approx(expected, abs=1e-9)


def test_regularisation_may_grow_with_a_rows_positives() -> None:
    # 1 and 3 positives, each beside 4 cells of half a positive: 3 and 5 pairs, on average 4.
    weights = sparse.csr_array(np.array([[1, 0, 0, 0], [1, 1, 1, 0]], dtype=np.float32))
    alike = AlsParameters(regularisation=8, confidence=2, frequency=0)
    assert row_strengths(weights, alike).tolist() == [8, 8]
    by_pairs = AlsParameters(regularisation=8, confidence=2, frequency=1)
    assert row_strengths(weights, by_pairs).tolist() == [6, 10]
    fixed = np.random.default_rng(1).normal(size=(4, 2))
    solved = solve_side(weights, fixed, by_pairs)
    for row, strength in enumerate([6, 10]):
        alone = AlsParameters(regularisation=strength, confidence=2)
        assert solved[row] == pytest.approx(solve_side(weights, fixed, alone)[row])


@given(weights=WEIGHTS.filter(lambda weights: bool(weights.any())))
def test_the_loss_never_grows(weights: NDArray[np.float32]) -> None:
    cells = sparse.csr_array(weights)
    known = Preferences(tuple("abcd"), tuple("vwxyz"), cells, np.zeros(cells.nnz, dtype=np.int64))
    losses = []
    for iterations in (1, 2, 5):
        parameters = AlsParameters(**{**asdict(PARAMETERS), "iterations": iterations})
        model = fit_als(known, parameters=parameters, seed=1)
        losses.append(loss(weights, model.user_embeddings, model.item_embeddings, parameters))
    assert losses == pytest.approx(sorted(losses, reverse=True), rel=1e-4)


def test_restarts_are_averaged() -> None:
    known = preferences(two_tastes(users=20))
    alone = {**asdict(PARAMETERS), "iterations": 2}
    both = fit_als(known, parameters=AlsParameters(**{**alone, "restarts": 2}), seed=1)
    first = fit_als(known, parameters=AlsParameters(**alone), seed=1)
    assert both.user_embeddings.shape[1] == 4
    # Both begin with the same draws, so the joined embeddings hold the single run's.
    assert both.user_embeddings[:, :2] * np.sqrt(2) == pytest.approx(first.user_embeddings)
    parts = [
        both.user_embeddings[:, part] @ both.item_embeddings[:, part].T * 2
        for part in (slice(0, 2), slice(2, 4))
    ]
    assert both.scores(known.user_ids) == pytest.approx(sum(parts) / 2, abs=1e-5)
    assert np.abs(parts[0] - parts[1]).max() > 1e-6


def test_rows_beside_the_users_are_learned_from_and_are_not_in_the_result() -> None:
    known = preferences(two_tastes(users=20))
    beside = known.weights[:3]
    both = fit_als(known, parameters=PARAMETERS, seed=1, beside=beside)
    assert both.user_ids == known.user_ids
    assert both.user_embeddings.shape == (20, 2)
    # As if three more users had given the same feedback.
    more = Preferences(
        (*known.user_ids, "x", "y", "z"),
        known.item_ids,
        sparse.vstack([known.weights, beside], format="csr"),
        np.zeros(known.weights.nnz + beside.nnz, dtype=np.int64),
    )
    expected = fit_als(more, parameters=PARAMETERS, seed=1)
    assert both.item_embeddings.tolist() == expected.item_embeddings.tolist()
    assert both.user_embeddings.tolist() == expected.user_embeddings[:20].tolist()
    # What a cold user gets is what the users like, each once.
    assert both.item_popularity == pytest.approx(known.weights.sum(axis=0))


def test_a_seed_gives_one_model() -> None:
    known = preferences(two_tastes(users=20))
    first, again = (fit_als(known, parameters=PARAMETERS, seed=1).to_bytes() for _ in range(2))
    assert first == again
    assert first != fit_als(known, parameters=PARAMETERS, seed=2).to_bytes()


def test_two_tastes_are_told_apart() -> None:
    known = preferences(two_tastes())
    model = fit_als(known, parameters=PARAMETERS, seed=1)
    is_even = np.array([int(item[1:]) % 2 == 0 for item in model.item_ids])
    scores = model.scores(["u000", "u001"])
    assert scores[0][is_even].min() > scores[0][~is_even].max()
    assert scores[1][~is_even].min() > scores[1][is_even].max()


@pytest.mark.parametrize(
    "name", ["components", "regularisation", "confidence", "iterations", "restarts"]
)
def test_parameters_that_mean_nothing_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} cannot be 0"):
        AlsParameters(**{name: 0})


def test_a_negative_frequency_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="frequency cannot be -1"):
        AlsParameters(frequency=-1)
