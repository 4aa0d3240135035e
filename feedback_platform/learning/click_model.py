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
    shown = _smoothed(lists, ITEM_ID, mean)
    places = {item_id: row for row, item_id in enumerate(item_ids)}
    items = np.full(len(item_ids) + 1, mean)
    for item_id, rate in shown.iter_rows():
        if item_id in places:
            items[places[item_id]] = rate
    by_position = _smoothed(lists, POSITION, mean)
    positions = np.full(int(by_position[POSITION].max() or 0) + 1, 1.0)  # type: ignore[arg-type]
    for position, rate in by_position.iter_rows():
        positions[position - 1] = rate / mean if mean else 1.0
    return ClickModel(items, positions)


def _smoothed(lists: pl.DataFrame, key: str, mean: float) -> pl.DataFrame:
    rate = (pl.col(IS_CLICKED).sum() + _PRIOR * mean) / (pl.len() + _PRIOR)
    return lists.group_by(key).agg(rate.alias("rate"))
