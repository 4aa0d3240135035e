"""The ranker: boosted trees that order candidates, with a probability beside each.

It learns from time. Candidates and their scores come from sources that were fitted on what was
before an instant; what happened after it says which of them were right. The loss is the logistic
one: its sums become probabilities by a straight line (`ranker_calibration`), and offsets can take
the position of an impression out of it (`ranker_impressions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.evaluation import CUTOFF, metrics_of_hits
from feedback_platform.learning.ranker_calibration import (
    Calibration,
    calibration_error,
    fit_calibration,
)
from feedback_platform.learning.ranker_features import FEATURES, Candidates, features
from feedback_platform.learning.ranker_history import History
from feedback_platform.learning.ranker_impressions import Examples
from feedback_platform.learning.ranker_trees import Trees

# The users of the examples that choose parameters and fit the line, and those that measure it.
_CHOOSING: Final = 0.2
_MEASURING: Final = 0.1
# With fewer there is no user for each of the three parts, and no order worth learning.
_LEAST_USERS: Final = 20


@dataclass(frozen=True)
class RankerParameters:
    """How to train.

    Attributes:
        trees: how many; each costs time at every request.
        leaves: of a tree; two leaves make a sum of single features.
        learning_rate: what each tree adds of its fit.
        rows_a_leaf: the fewest examples in a leaf.
        regularisation: λ, weight of the squared leaves.
    """

    trees: int = 100
    leaves: int = 8
    learning_rate: float = 0.08
    rows_a_leaf: int = 50
    regularisation: float = 5.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0 or (name == "leaves" and value == 1):
                raise InvalidInputError(f"The ranker's {name} cannot be {value}.")


# Small trees for few examples, larger ones for many; held-out users choose.
CHOICES: Final = (
    RankerParameters(leaves=4),
    RankerParameters(),
    RankerParameters(leaves=16, rows_a_leaf=100),
)


@dataclass(frozen=True, eq=False)
class Ranker:
    """A trained ranker.

    Attributes:
        sources: the names of the candidate sources, in the order of their scores.
        trees: what orders.
        calibration: what makes a probability of it.
    """

    sources: tuple[str, ...]
    trees: Trees
    calibration: Calibration

    def rank(
        self, known: History, candidates: Candidates
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the candidates' items, best first, and the probability of each.

        The probability is that of the first position.

        Raises:
            InvalidInputError: the candidates have other sources' scores.
        """
        items, probabilities, _ = self.ranked(known, candidates)
        return items, probabilities

    def ranked(
        self, known: History, candidates: Candidates
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]:
        """Return what `rank` does, and the features by which it was decided, in the same order.

        Raises:
            InvalidInputError: the candidates have other sources' scores.
        """
        rows = self.rows(known, candidates)
        items, sums, rows = in_order(candidates, rows, self.trees.predict(rows))
        return items, self.calibration.probabilities(sums), rows

    def rows(self, known: History, candidates: Candidates) -> NDArray[np.float32]:
        """Return the features of a user's candidates, as the trees have learned them.

        Raises:
            InvalidInputError: the candidates have other sources' scores.
        """
        if candidates.scores.shape[-1] != len(self.sources):
            raise InvalidInputError(
                f"The ranker has learned from {len(self.sources)} sources' scores, "
                f"{', '.join(self.sources)}; the candidates have the shape "
                f"{candidates.scores.shape}."
            )
        return features(known, candidates)

    @property
    def splits(self) -> dict[str, int]:
        """How many splits ask for each source's score and each feature."""
        names = (*self.sources, *FEATURES)
        return dict(zip(names, self.trees.splits.tolist(), strict=True))

    def to_bytes(self) -> bytes:
        """Return the ranker as a `.npz` archive without pickles."""
        line = np.array([self.calibration.intercept, self.calibration.slope], dtype=np.float32)
        arrays = {**self.trees.arrays, "line": line}
        return pack(arrays, {"sources": self.sources, "features": list(FEATURES)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Ranker:
        """Return the ranker that `to_bytes` wrote.

        Raises:
            InvalidInputError: the bytes are damaged, their parts do not fit together, or they
                were written by a release with other features.
        """
        reader = ArrayReader(data, "ranker")
        sources, names = reader.texts("sources"), reader.texts("features")
        if names != tuple(FEATURES):
            raise InvalidInputError(
                "The ranker was trained with other features than this release computes; train it "
                f"again. It has {', '.join(names)}."
            )
        line = reader.floats("line", (2,)).tolist()
        return cls(sources, Trees.read(reader, len(sources) + len(names)), Calibration(*line))


def in_order(
    candidates: Candidates, rows: NDArray[np.float32], sums: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]:
    """Return a user's candidates with their sums and features, best first; equals by item."""
    order = np.lexsort((candidates.items, -sums))
    return candidates.items[order], sums[order], rows[order]


@dataclass(frozen=True)
class RankerFit:
    """How the training went, on users that it had not seen.

    Attributes:
        parameters: what was chosen.
        ndcg: of each choice, among the candidates; of the chosen one it flatters.
        alone: the same of the candidates in the order of each source.
        errors: the standard error of the difference between the chosen one and each source, over
            the users.
        calibration_error: of the probabilities, on users that neither the trees nor the line knew.
        rate: the share of the examples that were right, beside which to read the error.
    """

    parameters: RankerParameters
    ndcg: Mapping[RankerParameters, float]
    alone: Mapping[str, float]
    errors: Mapping[str, float]
    calibration_error: float
    rate: float


def fit_ranker(
    examples: Examples,
    sources: Sequence[str],
    *,
    seed: int,
    choices: Sequence[RankerParameters] = CHOICES,
) -> tuple[Ranker, RankerFit]:
    """Choose parameters on held-out users, fit the probabilities on them, then train on everything.

    Args:
        examples: what to learn from; scores of sources in them have to be out of sample.
        sources: the names of the candidate sources, in the order of their scores.
        seed: of the held-out users and of the trees' drawing.
        choices: parameters to choose from.

    Raises:
        InvalidInputError: the examples have other features, or there is no choice.
        NothingToLearnError: there are too few users, or nothing was right or nothing wrong.
    """
    if examples.rows.shape[1] != len(sources) + len(FEATURES):
        raise InvalidInputError(
            f"The ranker's examples have {examples.rows.shape[1]} features, not the "
            f"{len(sources)} sources' and the {len(FEATURES)} of every ranker."
        )
    if not choices:
        raise InvalidInputError("A ranker needs parameters to choose from.")
    users = sorted(set(examples.users))
    if len(users) < _LEAST_USERS or examples.labels.all() or not examples.labels.any():
        raise NothingToLearnError(
            f"{len(users)} users with {examples.labels.sum()} right candidates of "
            f"{len(examples.labels)} teach a ranker nothing; it takes {_LEAST_USERS} users."
        )
    drawn = dict(
        zip(users, np.random.default_rng(seed).permutation(len(users)) / len(users), strict=True)
    )
    place = np.array([drawn[user] for user in examples.users])
    choosing = examples.of_groups(place < _CHOOSING)
    measuring = examples.of_groups((place >= _CHOOSING) & (place < _CHOOSING + _MEASURING))
    learning = examples.of_groups(place >= _CHOOSING + _MEASURING)
    twins = {choice: fit_trees(learning, choice, seed=seed) for choice in choices}
    of_users = {
        choice: _ndcg(twin.predict(choosing.rows), choosing) for choice, twin in twins.items()
    }
    ndcg = {choice: float(values.mean()) for choice, values in of_users.items()}
    chosen = max(choices, key=lambda choice: ndcg[choice])
    twin = twins[chosen]
    line = fit_calibration(
        twin.predict(choosing.rows), choosing.labels, choosing.weights, choosing.offsets
    )
    error = calibration_error(
        line.probabilities(twin.predict(measuring.rows), measuring.offsets),
        measuring.labels,
        measuring.weights,
    )
    by_source = {name: _ndcg(choosing.rows[:, row], choosing) for row, name in enumerate(sources)}
    alone = {name: float(values.mean()) for name, values in by_source.items()}
    errors = {
        name: float((of_users[chosen] - values).std() / len(values) ** 0.5)
        for name, values in by_source.items()
    }
    ranker = Ranker(tuple(sources), fit_trees(examples, chosen, seed=seed), line)
    rate = float(np.average(examples.labels, weights=examples.weights))
    return ranker, RankerFit(chosen, ndcg, alone, errors, error, rate)


def fit_trees(examples: Examples, parameters: RankerParameters, *, seed: int) -> Trees:
    """Train trees on all of the examples; equal examples and seeds make equal trees."""
    rate = float(np.average(examples.labels, weights=examples.weights))
    data = lgb.Dataset(
        examples.rows,
        examples.labels.astype(np.float64),
        weight=examples.weights,
        # Without it the first trees only find out how rare the right items are.
        init_score=float(logit(np.clip(rate, 1e-6, 1 - 1e-6))) + examples.offsets,
        params={"verbosity": -1, "num_threads": 1},
    )
    settings: dict[str, Any] = {
        "objective": "binary",
        "num_leaves": parameters.leaves,
        "learning_rate": parameters.learning_rate,
        "min_data_in_leaf": parameters.rows_a_leaf,
        "lambda_l2": parameters.regularisation,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": seed % (2**31 - 1),
        "deterministic": True,
        "force_row_wise": True,
        # One: the result does not depend on the machine, and a process may fork afterwards.
        "num_threads": 1,
        "verbosity": -1,
    }
    return Trees.of(lgb.train(settings, data, parameters.trees))


def _ndcg(
    sums: NDArray[np.float64] | NDArray[np.float32], examples: Examples, k: int = CUTOFF
) -> NDArray[np.float64]:
    """Return the nDCG of each group that has a right item; a single 0 without any."""
    group = np.repeat(np.arange(len(examples.groups)), examples.groups)
    order = np.lexsort((-sums, group))
    starts = np.cumsum(examples.groups) - examples.groups
    place = np.arange(len(order)) - np.repeat(starts, examples.groups)
    is_listed = place < k
    hits = np.zeros((len(examples.groups), k), dtype=np.bool_)
    hits[group[is_listed], place[is_listed]] = examples.labels[order][is_listed]
    right = np.bincount(group, examples.labels, len(examples.groups)).astype(np.int64)
    has_right = right > 0
    if not has_right.any():
        return np.zeros(1)
    return metrics_of_hits(hits[has_right], right[has_right])["ndcg"]
