"""What logged impressions say of relevance, without what the product's choices say for them.

Two things distort clicks. The product shows some items more than others: each impression counts
by the inverse of its propensity, so that what was rarely shown speaks as loudly as the rest
(Horvitz and Thompson, 1952). And what stands further down is looked at less: with the shown items
evened out like that, what is left between positions is the position's own doing, and it is taken
out of the model as an offset on the logit scale. A ranker that predicts without the offset
predicts for the first position.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError

# An inverse propensity above so many times the mean one is cut to it: less wild, a little biased.
LARGEST_WEIGHT: Final = 10.0
# Clicks and non-clicks added to every position, so that a rare one stays near the others.
_PRIOR: Final = 1.0


@dataclass(frozen=True, eq=False)
class Shown:
    """Impressions, all (n,).

    Attributes:
        positions: from 1.
        propensities: the probability with which each was shown there, in (0, 1].
        is_clicked: what came of it.

    Raises:
        InvalidInputError: lengths differ, or a position or a propensity is none.
    """

    positions: NDArray[np.int64]
    propensities: NDArray[np.float64]
    is_clicked: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.positions) == len(self.propensities) == len(self.is_clicked):
            raise InvalidInputError("Impressions need a position, a propensity and a click each.")
        if len(self.positions) and self.positions.min() < 1:
            raise InvalidInputError("Positions of impressions are counted from 1.")
        if not ((self.propensities > 0) & (self.propensities <= 1)).all():
            raise InvalidInputError(
                "The propensity of an impression that was shown lies above 0 and is 1 at most; "
                "leave out impressions whose propensity was not logged."
            )

    def weights(self, largest: float = LARGEST_WEIGHT) -> NDArray[np.float64]:
        """Return the inverse propensities, cut at `largest` times their mean, with mean 1."""
        if not len(self.propensities):
            return np.empty(0)
        inverse = 1 / self.propensities
        cut = np.minimum(inverse / inverse.mean(), largest)
        weights: NDArray[np.float64] = cut / cut.mean()
        return weights

    def offsets(self) -> NDArray[np.float64]:
        """Return by how much each impression's position changes the log odds of a click, (n,).

        Against the first position that was logged; there the offset is 0.
        """
        weights = self.weights()
        _, place = np.unique(self.positions, return_inverse=True)
        clicked = np.bincount(place, weights * self.is_clicked) + _PRIOR
        ignored = np.bincount(place, weights * ~self.is_clicked) + _PRIOR
        log_odds = np.log(clicked / ignored)
        offsets: NDArray[np.float64] = (log_odds - log_odds[:1])[place]
        return offsets


@dataclass(frozen=True, eq=False)
class Examples:
    """What a ranker learns from: rows in groups, a group for each request.

    Attributes:
        rows: features, (n x features).
        labels: whether it was the right item, (n,).
        groups: rows of each request, in their order.
        users: whose request, (groups,); one user's requests are held out together.
        weights: how much each row counts, (n,).
        offsets: what the log odds owe to something else than the features, (n,).

    Raises:
        InvalidInputError: the parts do not fit together.
    """

    rows: NDArray[np.float32]
    labels: NDArray[np.bool_]
    groups: NDArray[np.int64]
    users: tuple[str, ...]
    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def __post_init__(self) -> None:
        lengths = {len(self.rows), len(self.labels), len(self.weights), len(self.offsets)}
        if lengths != {int(self.groups.sum())} or len(self.users) != len(self.groups):
            raise InvalidInputError("A ranker's examples have parts of lengths that do not fit.")

    @classmethod
    def plain(
        cls,
        rows: NDArray[np.float32],
        labels: NDArray[np.bool_],
        groups: NDArray[np.int64],
        users: tuple[str, ...],
    ) -> Examples:
        """Return examples that all count alike, such as what users took later by themselves."""
        return cls(rows, labels, groups, users, np.ones(len(labels)), np.zeros(len(labels)))

    @classmethod
    def shown(
        cls,
        rows: NDArray[np.float32],
        impressions: Shown,
        groups: NDArray[np.int64],
        users: tuple[str, ...],
    ) -> Examples:
        """Return logged impressions as examples, without the doing of position and choice."""
        return cls(
            rows,
            impressions.is_clicked,
            groups,
            users,
            impressions.weights(),
            impressions.offsets(),
        )

    def of_groups(self, chosen: NDArray[np.bool_]) -> Examples:
        """Return the chosen groups, (groups,)."""
        part = np.repeat(chosen, self.groups)
        users = tuple(user for user, is_in in zip(self.users, chosen, strict=True) if is_in)
        return Examples(
            self.rows[part],
            self.labels[part],
            self.groups[chosen],
            users,
            self.weights[part],
            self.offsets[part],
        )


def joined(examples: Iterable[Examples]) -> Examples:
    """Return examples of several instants or kinds as one.

    Raises:
        InvalidInputError: there are none, or their features differ.
    """
    parts = list(examples)
    if len({each.rows.shape[1] for each in parts}) != 1:
        raise InvalidInputError("Examples of one ranker need the same features, and at least one.")
    return Examples(
        np.concatenate([each.rows for each in parts]),
        np.concatenate([each.labels for each in parts]),
        np.concatenate([each.groups for each in parts]),
        tuple(user for each in parts for user in each.users),
        np.concatenate([each.weights for each in parts]),
        np.concatenate([each.offsets for each in parts]),
    )
