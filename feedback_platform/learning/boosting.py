"""Orders in which some items come earlier than the model would have them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.ranking import Ranked

# Half a page: noticeable, and what the model is sure of stays in sight.
LIFT: Final = 5

Values = NDArray[np.number[Any]]


def boost(ranked: Ranked, values: Values, is_boosted: NDArray[np.bool_]) -> tuple[Ranked, Values]:
    """Return orders in which boosted items stand `LIFT` ranks earlier, with their values.

    A boosted item stands before one that has its new rank by itself. Its value stays the model's.

    Args:
        ranked: (users x n), items from the best on, -1 at the end.
        values: (users x n), what the model says of each.
        is_boosted: (items,).
    """
    if not is_boosted.any():
        return ranked, values
    is_lifted = (ranked >= 0) & is_boosted[ranked]
    order = np.argsort(np.arange(ranked.shape[1]) - is_lifted * (LIFT + 0.5), axis=1, kind="stable")
    return np.take_along_axis(ranked, order, axis=1), np.take_along_axis(values, order, axis=1)
