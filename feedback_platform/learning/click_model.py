"""How likely a click is, by item and position alone: what doubly robust estimates lean on.

The examination hypothesis (Craswell et al., 2008): a position multiplies what an item gets. Both
are smoothed, so that what was hardly shown is near the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.events.columns import POSITION
from feedback_platform.learning.columns import ITEM_ID
from feedback_platform.learning.ranker_history import IS_CLICKED

# So many impressions at the mean rate are added to each item and position.
_PRIOR: Final = 100.0


@dataclass(frozen=True, eq=False)
class ClickModel:
    """Rates of clicks.

    Attributes:
        items: (items + 1,), of each item; the last is that of an item without impressions.
        positions: (positions + 1,), factor of each position from 1; the last for positions beyond.
    """

    items: NDArray[np.float64]
    positions: NDArray[np.float64]

    def rates(self, items: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of a click, in [0, 1]; both of any one shape.

        Args:
            items: indexes; -1 for one without impressions.
            positions: from 1.
        """
        rates: NDArray[np.float64] = np.minimum(self.items[items] * self.factors(positions), 1.0)
        return rates

    def factors(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return by what each position, from 1, multiplies what an item gets."""
        factors: NDArray[np.float64] = self.positions[
            np.minimum(positions - 1, len(self.positions) - 1)
        ]
        return factors


def fit_clicks(lists: pl.DataFrame, item_ids: Sequence[str]) -> ClickModel:
    """Count clicks.

    Args:
        lists: logged impressions (`ranker_lists.LISTS_SCHEMA`); there may be none.
        item_ids: the items of the indexes.
    """
    overall = lists[IS_CLICKED].cast(pl.Float64).mean()
    mean = float(overall) if isinstance(overall, float) else 0.0
    place = lists[POSITION].to_numpy() - 1
    clicked = lists[IS_CLICKED].to_numpy().astype(np.float64)
    size = int(place.max(initial=-1)) + 1
    positions = np.ones(size + 1)
    if mean:
        rates = (np.bincount(place, clicked, size) + _PRIOR * mean) / (
            np.bincount(place, minlength=size) + _PRIOR
        )
        positions[:size] = rates / mean
    rows = {item_id: row for row, item_id in enumerate(item_ids)}
    # Of an item that nobody lists, the last row takes in what it did; it is the mean in the end.
    row = np.array([rows.get(item_id, len(rows)) for item_id in lists[ITEM_ID]], dtype=np.int64)
    # An impression further down is a smaller part of one: its position has taken its share already.
    items = (np.bincount(row, clicked, len(rows) + 1) + _PRIOR * mean) / (
        np.bincount(row, positions[place], len(rows) + 1) + _PRIOR
    )
    items[-1] = mean
    return ClickModel(items, positions)
