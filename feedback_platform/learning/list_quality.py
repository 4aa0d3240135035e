"""What relevance does not tell of ranked lists: novelty, diversity, popularity bias, calibration.

Each is one number for each user's list, so that it can be averaged over everybody or over a
segment. Empty places, -1, are left out; a user whose list is empty has no value, NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.learning.ranking import PairMatrix, Ranked

PerUser = NDArray[np.float64]

# Share of the user's own distribution that is mixed into the list's (Steck, 2018).
_SMOOTHING = 0.01


@dataclass(frozen=True)
class ListQuality:
    """Means over the users that have a value.

    Attributes:
        novelty: in bits.
        popularity_bias: 0 for lists as popular as their users' histories, 1 for twice as popular;
            -1 where nothing is listed.
        diversity: from 0 to 1; None where no item has a label.
        miscalibration: in nats; None where no list and history have labels.
    """

    novelty: float | None
    popularity_bias: float
    diversity: float | None
    miscalibration: float | None

    def means(self, k: int) -> dict[str, float | None]:
        """Return every figure, named like `novelty_at_10`."""
        return {f"{name}_at_{k}": value for name, value in vars(self).items()}


def list_quality(
    ranked: Ranked,
    *,
    liked: PairMatrix,
    item_users: NDArray[np.int64],
    users: int,
    labels: PairMatrix,
) -> ListQuality:
    """Return what relevance does not tell of lists.

    Args:
        ranked: (users x k), items' indexes.
        liked: (users x items), non-zero for the items that a user liked in train.
        item_users: (items,), how many users like the item in train.
        users: how many users there are in train.
        labels: (items x labels), weights of each item's categories.
    """
    bias = _mean(popularity_bias(ranked, liked, item_users))
    return ListQuality(
        novelty=_mean(novelty(ranked, item_users, users)),
        popularity_bias=-1.0 if bias is None else bias,
        diversity=_mean(diversity(ranked, labels)) if labels.nnz else None,
        miscalibration=_mean(miscalibration(ranked, liked, labels)),
    )


def novelty(ranked: Ranked, item_users: NDArray[np.int64], users: int) -> PerUser:
    """Return the mean self-information of each list's items, in bits.

    An item that u of all users like has -log2(u / users); one nobody likes counts as liked by one
    (Vargas and Castells, 2011; Zhou et al., 2010).

    Args:
        ranked: (users x k), items' indexes.
        item_users: (items,), how many users like the item in train.
        users: how many users there are in train.
    """
    information = np.log2(users) - np.log2(np.maximum(item_users, 1))
    return _mean_over(ranked, information)


def popularity_bias(
    ranked: Ranked, histories: PairMatrix, item_users: NDArray[np.int64]
) -> PerUser:
    """Return how much more popular a list is than its user's own history: 0 as much, 1 twice.

    The relative difference of the mean popularity of the list and of the history (the popularity
    lift of Abdollahpouri et al., 2020). NaN where the history is empty.

    Args:
        ranked: (users x k), items' indexes.
        histories: (users x items), non-zero for the items of a user's history.
        item_users: (items,), how many users like the item in train.
    """
    known = _known(histories)
    sizes = np.asarray(known.sum(axis=1)).ravel()
    mine = np.divide(known @ item_users, sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)
    lift: PerUser = _mean_over(ranked, item_users) / mine - 1
    return lift


def diversity(ranked: Ranked, labels: PairMatrix) -> PerUser:
    """Return the mean distance of a list's pairs of items: 1 - cosine of their labels.

    Intra-list diversity (Ziegler et al., 2005). An item without labels is at distance 1 from all
    others. NaN for a list of fewer than two items.

    Args:
        ranked: (users x k), items' indexes.
        labels: (items x labels), weights of each item's categories.
    """
    lengths = np.sqrt(np.asarray(labels.multiply(labels).sum(axis=1)).ravel())
    unit = sparse.csr_array(labels / np.maximum(lengths, 1e-12)[:, None])
    listed = _listed(ranked, len(lengths))
    sizes, labelled = _row_sums(listed), listed @ (lengths > 0).astype(np.float64)
    # The cosines of all pairs, each twice, are the squared length of the sum less those of each.
    total = listed @ unit
    cosines = _row_sums(total.multiply(total)) - labelled
    pairs = sizes * (sizes - 1)
    return 1 - np.divide(cosines, pairs, out=np.full(len(ranked), np.nan), where=pairs > 0)


def miscalibration(ranked: Ranked, histories: PairMatrix, labels: PairMatrix) -> PerUser:
    """Return how far the categories of a list are from those of the user's history, in nats.

    The Kullback-Leibler divergence of the list's distribution over labels from the history's, with
    a hundredth of the latter mixed into the former (Steck, 2018, "Calibrated recommendations"). An
    item's labels share its weight. NaN where list or history has no labels.

    Args:
        ranked: (users x k), items' indexes.
        histories: (users x items), non-zero for the items of a user's history.
        labels: (items x labels), weights of each item's categories.
    """
    totals = _row_sums(labels)
    shares = sparse.csr_array(labels / np.where(totals > 0, totals, 1)[:, None])
    own = (_known(histories) @ shares).toarray()
    shown = (_listed(ranked, len(totals)) @ shares).toarray()
    values = np.full(len(ranked), np.nan)
    for user in np.flatnonzero((own.sum(axis=1) > 0) & (shown.sum(axis=1) > 0)):
        mine, list_ = own[user] / own[user].sum(), shown[user] / shown[user].sum()
        mixed = (1 - _SMOOTHING) * list_ + _SMOOTHING * mine
        is_mine = mine > 0
        values[user] = (mine[is_mine] * np.log(mine[is_mine] / mixed[is_mine])).sum()
    return values


def _mean_over(ranked: Ranked, of_items: NDArray[np.float64] | NDArray[np.int64]) -> PerUser:
    is_listed = ranked >= 0
    listed = is_listed.sum(axis=1)
    sums = np.where(is_listed, of_items[np.maximum(ranked, 0)], 0.0).sum(axis=1)
    return np.divide(sums, listed, out=np.full(len(ranked), np.nan), where=listed > 0)


def _mean(values: PerUser) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _row_sums(matrix: PairMatrix) -> NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()


def _listed(ranked: Ranked, items: int) -> PairMatrix:
    """Return 1 for every item of a list, (users x items)."""
    rows, places = np.nonzero(ranked >= 0)
    entries = (np.ones(len(rows)), (rows, ranked[rows, places]))
    return sparse.csr_array(entries, shape=(len(ranked), items))


def _known(histories: PairMatrix) -> PairMatrix:
    """Return 1 for every item of a history, whatever its weight."""
    return sparse.csr_array(histories.astype(bool).astype(np.float64))
