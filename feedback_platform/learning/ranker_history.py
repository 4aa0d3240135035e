"""What was known at an instant, of items, users and pairs: the counts behind the ranker's features.

Every question takes the instant, and looks only at what happened until then. The same arrays answer
for an example of the past and for a request of today, so that training and serving cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.learning.columns import (
    CATEGORIES,
    FEEDBACK_SCORE,
    ITEM_ID,
    LAST_FEEDBACK_AT,
    USER_ID,
)
from feedback_platform.learning.ranker_sequences import Sequences, fit_sequences
from feedback_platform.learning.ranking import numbered, pair_matrix
from feedback_platform.learning.training_data import (
    POSITIVE_THRESHOLD,
    checked_columns,
    checked_items,
    checked_scores,
)

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SHOWN_AT: Final = "shown_at"
IS_CLICKED: Final = "is_clicked"
SHOWN_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    USER_ID: pl.String(),
    ITEM_ID: pl.String(),
    SHOWN_AT: pl.Datetime("us", "UTC"),
    IS_CLICKED: pl.Boolean(),
}
_MICROSECONDS: Final = 1_000_000
DAY: Final = 86_400
# Whether an impression is clicked is known after this long; until then it has not been shown.
SETTLING: Final = 3_600
# The table of categories is dense, and has to fit in memory beside 100,000 items.
_MOST_CATEGORIES: Final = 100


@dataclass(frozen=True, eq=False)
class Ledger:
    """Things that happened under keys, in the order of key and time.

    Attributes:
        seconds: when, (n,).
        other: the other side of each pair, an index, (n,).
        values: how much, (n,).
        starts: (keys + 1,), where each key's part begins.
    """

    seconds: Integers
    other: Integers
    values: Floats
    starts: Integers

    @classmethod
    def of(
        cls, keys: Integers, seconds: Integers, other: Integers, values: Floats, size: int
    ) -> Ledger:
        """Sort what happened; `size` is the number of keys."""
        order = np.lexsort((other, seconds, keys))
        starts = np.searchsorted(keys[order], np.arange(size + 1))
        return cls(seconds[order], other[order], values[order], starts)

    def until(self, key: int, second: int) -> slice:
        """Return what happened under a key until an instant, that instant included."""
        start, end = int(self.starts[key]), int(self.starts[key + 1])
        return slice(start, start + int(self.seconds[start:end].searchsorted(second, "right")))

    def places(self, keys: Integers, second: int) -> Integers:
        """Return the end of what happened until an instant under each of many keys."""
        second = min(max(second, self._first - 1), self._first + self._span - 1)
        wanted = keys * self._span + (second - self._first)
        return self._ordered.searchsorted(wanted, "right")

    @cached_property
    def running(self) -> Floats:
        """The sum of the values before each place, (n + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.values)])

    @cached_property
    def _first(self) -> int:
        return int(self.seconds.min(initial=0)) if len(self.seconds) else 0

    @cached_property
    def _span(self) -> int:
        return int(self.seconds.max() - self._first) + 2 if len(self.seconds) else 2

    @cached_property
    def _ordered(self) -> Integers:
        """Key and time in one sorted integer each."""
        keys = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        return keys * self._span + (self.seconds - self._first)


@dataclass(frozen=True, eq=False)
class History:
    """What is known, with the time since when.

    Attributes:
        item_ids: the items, in the order of their indexes everywhere in the ranker.
        users: row of each user.
        by_item: positive feedback on each item; the values are scores.
        by_user: all feedback of each user; the values are scores.
        shown: what each user was shown, an hour later, when its clicks are known; the values are 1
            for a click and 0 otherwise.
        shown_items: the same by item.
        categories: (items x categories), each row sums to 1, or to less without (frequent) ones.
        sequences: what people took next.
        threshold: a score from here on is positive.
    """

    item_ids: tuple[str, ...]
    users: Mapping[str, int]
    by_item: Ledger
    by_user: Ledger
    shown: Ledger
    shown_items: Ledger
    categories: NDArray[np.float32]
    sequences: Sequences
    threshold: float

    @cached_property
    def of_all_items(self) -> dict[int, Floats | None]:
        """A second that was asked for → what the features found out about all items at it.

        It holds the newest only, and nothing as long as that was asked for once.
        """
        return {}

    @cached_property
    def item_rows(self) -> dict[str, int]:
        """Index of each item."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def category_sizes(self) -> NDArray[np.float32]:
        """How many items each category has, an item of several categories in parts."""
        return self.categories.sum(axis=0)


def history(
    scores: pl.DataFrame,
    items: pl.DataFrame,
    item_ids: Sequence[str],
    *,
    shown: pl.DataFrame | None = None,
    threshold: float = POSITIVE_THRESHOLD,
) -> History:
    """Return the index over frames; feedback on items that are not listed is left out.

    Args:
        scores: user x item scores (`training_data.SCORES_SCHEMA`).
        items: the catalogue (`ITEMS_SCHEMA`).
        item_ids: the items that the candidate sources score, in their order.
        shown: impressions (`SHOWN_SCHEMA`), where they are logged.
        threshold: a score from here on is positive.

    Raises:
        InvalidInputError: a frame is malformed.
    """
    scores, items = checked_scores(scores), checked_items(items)
    seen = (
        pl.DataFrame(schema=SHOWN_SCHEMA)
        if shown is None
        else checked_columns("impressions", shown, SHOWN_SCHEMA, required=SHOWN_SCHEMA)
    )
    user_ids = pl.concat([scores[USER_ID], seen[USER_ID]]).unique().sort().to_list()
    users = {user_id: row for row, user_id in enumerate(user_ids)}
    # It takes the most memory, and what is made of it the least.
    sequences = fit_sequences(scores, item_ids)
    feedback = _indexed(scores, user_ids, item_ids, LAST_FEEDBACK_AT, FEEDBACK_SCORE)
    liked = feedback.filter(pl.col(FEEDBACK_SCORE) >= threshold)
    settled = _indexed(seen, user_ids, item_ids, SHOWN_AT, IS_CLICKED).with_columns(
        pl.col("second") + SETTLING
    )
    return History(
        item_ids=tuple(item_ids),
        users=users,
        by_item=_ledger(liked, "item", "user", FEEDBACK_SCORE, len(item_ids)),
        by_user=_ledger(feedback, "user", "item", FEEDBACK_SCORE, len(user_ids)),
        shown=_ledger(settled, "user", "item", IS_CLICKED, len(user_ids)),
        shown_items=_ledger(settled, "item", "user", IS_CLICKED, len(item_ids)),
        categories=_shares(items, item_ids),
        sequences=sequences,
        threshold=threshold,
    )


def second_of(instant: datetime) -> int:
    """Return the whole second of an instant, since 1970."""
    return int(instant.timestamp())


def _indexed(
    frame: pl.DataFrame, user_ids: Sequence[str], item_ids: Sequence[str], at: str, value: str
) -> pl.DataFrame:
    """Return user, item, second and the value, of the items that are listed; no names."""
    second = (pl.col(at).dt.epoch("us") // _MICROSECONDS).alias("second")
    return (
        frame.select(USER_ID, ITEM_ID, second, value)
        .join(numbered(USER_ID, user_ids, "user"), on=USER_ID)
        .drop(USER_ID)
        .join(numbered(ITEM_ID, item_ids, "item"), on=ITEM_ID)
        .drop(ITEM_ID)
    )


def _ledger(frame: pl.DataFrame, key: str, other: str, value: str, size: int) -> Ledger:
    return Ledger.of(
        frame[key].to_numpy(),
        frame["second"].to_numpy(),
        frame[other].to_numpy(),
        frame[value].cast(pl.Float64).to_numpy(),
        size,
    )


def _shares(items: pl.DataFrame, item_ids: Sequence[str]) -> NDArray[np.float32]:
    pairs = (
        items.filter(pl.col(ITEM_ID).is_in(list(item_ids)))
        .select(pl.col(ITEM_ID).alias(USER_ID), pl.col(CATEGORIES).list.unique())
        .explode(CATEGORIES)
        .drop_nulls()
        .with_columns((1 / pl.len().over(USER_ID)).alias("share"))
        .rename({CATEGORIES: ITEM_ID})
    )
    counts = pairs.group_by(ITEM_ID).len().sort("len", ITEM_ID, descending=[True, False])
    names = counts.head(_MOST_CATEGORIES)[ITEM_ID].sort().to_list()
    if not names:
        return np.zeros((len(item_ids), 0), dtype=np.float32)
    return pair_matrix(pairs, item_ids, names, values="share").toarray()
