"""Implicit alternating least squares (Hu, Koren and Volinsky, 2008).

Every pair has a preference, 1 where there is positive feedback and 0 elsewhere, and a confidence
in it, 1 + a · weight. Users and items take turns: with one side fixed, each row of the other is
an exact least-squares solution, so the loss never grows. It costs a small system for each row and
never more memory than the factors, and needs no compiled module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.factorisation import Factorisation
from feedback_platform.learning.preferences import Preferences
from feedback_platform.learning.ranking import PairMatrix

_INITIAL_SCALE = 0.1
# Numbers in the largest array of a batch of systems, half of what it may come to when padded.
_BATCH_CELLS = 1_000_000


@dataclass(frozen=True)
class AlsParameters:
    """How to train.

    Attributes:
        components: length of an embedding.
        regularisation: λ, weight of the squared length of all embeddings.
        confidence: a, what a positive of mean weight adds to the confidence of 1.
        iterations: how often each side is solved.
        frequency: the exponent with which regularisation grows with a row's positives, relative
            to the mean row's; 0 treats all rows alike, 1 all positives (Rendle et al., 2022,
            "Revisiting the performance of iALS").
        restarts: how many runs from different beginnings are averaged. The loss has many minima;
            their mean errs less than any of them, for as many times the cost.
    """

    components: int = 48
    regularisation: float = 40.0
    confidence: float = 5.0
    iterations: int = 10
    frequency: float = 0.0
    restarts: int = 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            is_valid = value >= 0 if name == "frequency" else value > 0
            if not is_valid:
                raise InvalidInputError(f"The alternating least squares' {name} cannot be {value}.")


def fit_als(
    preferences: Preferences,
    *,
    parameters: AlsParameters,
    seed: int,
    beside: PairMatrix | None = None,
) -> Factorisation:
    """Factorise the preferences.

    The biases of the result are 0: the loss has none.

    Args:
        preferences: what to learn from.
        parameters: how to train.
        seed: of the initial item embeddings.
        beside: (rows x items), positives that the items learn from as if further users had given
            them; nothing else of these rows is in the result.
    """
    weights = preferences.weights
    if beside is not None:
        weights = sparse.vstack([weights, beside], format="csr")
    generator = np.random.default_rng(seed)
    # BLAS's own threads wait for each other more than they work, on systems so small.
    with threadpool_limits(limits=1, user_api="blas"):
        runs = [_run(weights, parameters, generator) for _ in range(parameters.restarts)]
    # A product of joined embeddings is the sum of the runs' products; this makes it their mean.
    share = parameters.restarts**-0.5
    users = np.hstack([run[0][: len(preferences.user_ids)] for run in runs]) * share
    items = np.hstack([run[1] for run in runs]) * share
    return Factorisation(
        user_ids=preferences.user_ids,
        item_ids=preferences.item_ids,
        user_embeddings=users.astype(np.float32),
        user_biases=np.zeros(len(users), dtype=np.float32),
        item_embeddings=items.astype(np.float32),
        item_biases=np.zeros(len(items), dtype=np.float32),
        item_popularity=np.asarray(preferences.weights.sum(axis=0), dtype=np.float32).ravel(),
    )


def _run(
    weights: PairMatrix, parameters: AlsParameters, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the embeddings of rows and of columns from one random beginning."""
    rows, columns = weights.shape
    items = generator.normal(0, _INITIAL_SCALE, (columns, parameters.components))
    users = np.empty((rows, parameters.components))
    by_item = weights.T.tocsr()
    for _ in range(parameters.iterations):
        users = solve_side(weights, items, parameters)
        items = solve_side(by_item, users, parameters)
    return users, items


def solve_side(
    weights: PairMatrix, fixed: NDArray[np.float64], parameters: AlsParameters
) -> NDArray[np.float64]:
    """Return the rows that minimise the loss while the other side is fixed.

    A row x solves (YᵀY + a Σ w y yᵀ + r I) x = Σ (1 + a w) y, the sums over its positives:
    what all pairs share is computed once.

    Args:
        weights: (rows x columns), the positives of each row.
        fixed: Y, (columns x components).
        parameters: λ, a and the frequency.
    """
    strengths = row_strengths(weights, parameters)
    solved = np.zeros((weights.shape[0], fixed.shape[1]))
    shared = fixed.T @ fixed

    def solve(batch: NDArray[np.int64]) -> None:
        solved[batch] = _solve_batch(batch, weights, fixed, shared, strengths, parameters)

    # Batches are independent: the result does not depend on how many are solved at a time.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(solve, _batches(weights, fixed.shape[1])))
    return solved


def _solve_batch(
    batch: NDArray[np.int64],
    weights: PairMatrix,
    fixed: NDArray[np.float64],
    shared: NDArray[np.float64],
    strengths: NDArray[np.float64],
    parameters: AlsParameters,
) -> NDArray[np.float64]:
    """Return the solutions of some rows; what is missing to the longest is padded with nothing."""
    starts, ends = weights.indptr[batch], weights.indptr[batch + 1]
    place = np.arange((ends - starts).max())
    is_there = place < (ends - starts)[:, None]
    entries = np.where(is_there, starts[:, None] + place, 0)
    liked = fixed[weights.indices[entries]]
    added = np.where(is_there, parameters.confidence * weights.data[entries].astype(np.float64), 0)
    systems = shared + np.matmul((liked * added[:, :, None]).transpose(0, 2, 1), liked)
    diagonal = np.arange(fixed.shape[1])
    systems[:, diagonal, diagonal] += strengths[batch][:, None]
    targets = np.matmul(((1 + added) * is_there)[:, None, :], liked)
    solutions: NDArray[np.float64] = np.linalg.solve(systems, targets.transpose(0, 2, 1))[:, :, 0]
    return solutions


def _batches(weights: PairMatrix, components: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows that have positives, such that those of a batch have about as many.

    One array of systems costs far less than a call for each. The longest row of a batch has less
    than twice the positives of the shortest, so at most half of it is padding.
    """
    positives = np.diff(weights.indptr)
    order = np.argsort(positives, kind="stable")
    positives = positives[order]
    start = int(np.searchsorted(positives, 1))
    while start < len(order):
        alike = int(np.searchsorted(positives, 2 * positives[start]))
        most = _BATCH_CELLS // (components * max(int(positives[start]), components))
        stop = min(alike, start + max(1, most))
        yield order[start:stop]
        start = stop


def row_strengths(weights: PairMatrix, parameters: AlsParameters) -> NDArray[np.float64]:
    """Return r, the regularisation of each row; its mean is λ.

    A row of n positives counts as n plus its columns' worth of cells without feedback, each of
    which weighs one a-th of a positive.
    """
    positives = np.diff(weights.indptr)
    grown = (positives + weights.shape[1] / parameters.confidence) ** parameters.frequency
    strengths: NDArray[np.float64] = parameters.regularisation * grown / grown.mean()
    return strengths
