"""How good ranked lists are: per user, then on average, with an interval for a difference.

Relevance is binary. An item that the model does not know still counts among a user's relevant
items, so a model cannot gain by knowing few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.columns import USER_ID
from feedback_platform.learning.ranking import Ranked, Scorer, pair_matrix, rank_users
from feedback_platform.learning.training_data import TimeSplit

Metric = Literal["ndcg", "precision", "recall", "average_precision", "hit_rate", "reciprocal_rank"]
METRICS: Final[tuple[Metric, ...]] = get_args(Metric)
CUTOFF: Final = 10


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model's lists against what the users liked afterwards.

    Attributes:
        k: length of the lists.
        user_ids: the evaluated users.
        per_user: metric → one value in [0, 1] for each user.
        coverage: share of the catalogue that is in anybody's list.
    """

    k: int
    user_ids: tuple[str, ...]
    per_user: Mapping[Metric, NDArray[np.float64]]
    coverage: float

    def mean(self, metric: Metric) -> float:
        """Return the mean over users; the mean of average precision is MAP, of ranks MRR."""
        return float(self.per_user[metric].mean())

    def means(self) -> dict[str, float]:
        """Return every metric's mean and the coverage, named like `ndcg_at_10`."""
        named = {f"{metric}_at_{self.k}": self.mean(metric) for metric in METRICS}
        return {**named, f"coverage_at_{self.k}": self.coverage}


@dataclass(frozen=True)
class MeanDifference:
    """The mean over users of first - second, with its bootstrap interval."""

    mean: float
    low: float
    high: float


def evaluate(scorer: Scorer, split: TimeSplit, k: int = CUTOFF) -> Evaluation:
    """Rank every evaluated user's items that are not in train, and compare with the test.

    Args:
        scorer: a model that was fitted on `split.train` and nothing else.
        split: the hold-out.
        k: length of the lists.
    """
    return evaluate_lists(hold_out_lists(scorer, split, k), scorer.item_ids, split)


def hold_out_lists(scorer: Scorer, split: TimeSplit, k: int = CUTOFF) -> Ranked:
    """Return each evaluated user's k best items that are not in train, (users x k)."""
    users = split.evaluated_users()
    return rank_users(scorer, users, pair_matrix(split.train, users, scorer.item_ids), k)


def evaluate_lists(ranked: Ranked, item_ids: Sequence[str], split: TimeSplit) -> Evaluation:
    """Compare the evaluated users' lists with the test.

    Args:
        ranked: (users x k), from `hold_out_lists`.
        item_ids: the items that its indexes are of.
        split: the hold-out.
    """
    users, k = split.evaluated_users(), ranked.shape[1]
    relevant_pairs = split.relevant()
    relevant = pair_matrix(relevant_pairs, users, item_ids).tocoo()
    counts = relevant_pairs.group_by(USER_ID).len().sort(USER_ID)["len"].to_numpy()
    # One number for each (user, item); an empty place, -1, becomes a number no pair has.
    items = len(item_ids)
    listed = np.where(ranked >= 0, np.arange(len(users))[:, None] * items + ranked, -1)
    hits = np.isin(listed, relevant.row.astype(np.int64) * items + relevant.col)
    return Evaluation(
        k=k,
        user_ids=tuple(users),
        per_user=metrics_of_hits(hits, counts.astype(np.int64)),
        coverage=coverage(ranked, items),
    )


def metrics_of_hits(
    hits: NDArray[np.bool_], relevant: NDArray[np.int64]
) -> dict[Metric, NDArray[np.float64]]:
    """Return each user's metrics.

    nDCG is binary with the ideal list of min(relevant, k) hits (Järvelin and Kekäläinen, 2002).
    Average precision is divided by all of the user's relevant items, as Microsoft Recommenders
    does, so it stays below 1 for a user with more than k.

    Args:
        hits: (users x k), whether the item at a place is relevant.
        relevant: (users,), how many items are relevant to a user; at least 1.
    """
    k = hits.shape[1]
    places = np.arange(1, k + 1)
    discounts = 1 / np.log2(places + 1)
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, k)]
    found = hits.sum(axis=1)
    precision_at_place = np.cumsum(hits, axis=1) / places
    first = np.where(found > 0, hits.argmax(axis=1) + 1, np.inf)
    return {
        # The ratio of equal sums may exceed 1 by a rounding error.
        "ndcg": np.minimum((hits * discounts).sum(axis=1) / ideal, 1.0),
        "precision": found / k,
        "recall": found / relevant,
        "average_precision": (precision_at_place * hits).sum(axis=1) / relevant,
        "hit_rate": (found > 0).astype(np.float64),
        "reciprocal_rank": 1 / first,
    }


def coverage(ranked: Ranked, items: int) -> float:
    """Return the share of the catalogue's items that occur in any list."""
    return len(np.unique(ranked[ranked >= 0])) / items if items else 0.0


def difference(
    first: Evaluation,
    second: Evaluation,
    metric: Metric = "ndcg",
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> MeanDifference:
    """Return the mean difference between two models over the same users.

    The interval is the percentile bootstrap over users (Efron and Tibshirani, 1993, ch. 13); both
    models' values of a user stay together.

    Args:
        first: the model that is looked at.
        second: the model it is compared with.
        metric: which metric.
        seed: of the resampling.
        resamples: how many bootstrap samples.
        level: coverage of the interval.

    Raises:
        InvalidInputError: the evaluations are of different users or lengths of list.
    """
    if first.user_ids != second.user_ids or first.k != second.k:
        raise InvalidInputError(
            "Two evaluations can only be compared over the same users and the same k."
        )
    differences = first.per_user[metric] - second.per_user[metric]
    generator = np.random.default_rng(seed)
    users = len(differences)
    means = [differences[generator.integers(0, users, users)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return MeanDifference(float(differences.mean()), float(low), float(high))
