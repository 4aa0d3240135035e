"""What a model would have shown where the logs tell what was shown.

A model's lists, with its exploration, give every item of a user a probability at every position.
Each logged impression stands beside it: the item, the position, the probability with which it was
shown there, and whether it was clicked. `off_policy` makes an estimate of that.

This takes a position's click to depend on the item there and not on the rest of the list, the
item-position model (Li et al., 2018, "Offline evaluation of ranking policies with click models").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.events.columns import POSITION, PROPENSITY
from feedback_platform.learning.click_model import ClickModel
from feedback_platform.learning.columns import ITEM_ID, USER_ID
from feedback_platform.learning.exploration import Exploration, probabilities, sizes_of
from feedback_platform.learning.off_policy import LoggedImpressions
from feedback_platform.learning.ranker_history import IS_CLICKED
from feedback_platform.learning.ranking import Ranked, numbered


def beside_logs(
    lists: pl.DataFrame,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    ranked: Ranked,
    *,
    length: int,
    exploration: Exploration,
    clicks: ClickModel,
) -> LoggedImpressions:
    """Return logged impressions beside the probability with which a model shows the same.

    They stay in the order of the frame.

    Args:
        lists: logged impressions with their propensities, of these users, at positions up to the
            length (`ranker_lists.LISTS_SCHEMA`).
        user_ids: in the order of `ranked`.
        item_ids: the items of its indexes.
        ranked: (users x items from the best on), as `exploration.explore` takes it.
        length: of the model's lists.
        exploration: of the model's lists.
        clicks: the rates of clicks, fitted on other impressions, over `item_ids`.

    Raises:
        InvalidInputError: there is no impression, or a propensity is none.
    """
    known = (
        lists.join(numbered(USER_ID, user_ids, "user"), on=USER_ID, maintain_order="left")
        .join(numbered(ITEM_ID, item_ids, "item"), on=ITEM_ID, how="left", maintain_order="left")
        .with_columns(pl.col("item").fill_null(-1))
    )
    users, items = known["user"].to_numpy(), known["item"].to_numpy()
    positions = known[POSITION].to_numpy()
    sizes = sizes_of(ranked, length, exploration)
    ranks = _ranks(ranked, users, items, len(item_ids))
    expected = _expected(ranked, sizes, length, exploration, clicks)
    return LoggedImpressions(
        rewards=known[IS_CLICKED].cast(pl.Float64).to_numpy(),
        propensities=known[PROPENSITY].to_numpy(),
        target=probabilities(ranks, positions, sizes[users], length, exploration),
        units=users,
        predicted=clicks.rates(items, positions),
        predicted_target=expected[users, positions - 1],
    )


def _ranks(
    ranked: Ranked, users: NDArray[np.int64], items: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """Return the rank of each pair from 1, 0 where the item is not ranked, (n,)."""
    rows, places = np.nonzero(ranked >= 0)
    pairs = rows * size + ranked[rows, places]
    order = np.argsort(pairs)
    pairs, places = np.append(pairs[order], -1), places[order]
    wanted = np.where(items >= 0, users * size + items, -2)
    found = np.searchsorted(pairs[:-1], wanted)
    is_found = pairs[found] == wanted
    ranks = np.zeros(len(users), dtype=np.int64)
    ranks[is_found] = places[found[is_found]] + 1
    return ranks


def _expected(
    ranked: Ranked,
    sizes: NDArray[np.int64],
    length: int,
    exploration: Exploration,
    clicks: ClickModel,
) -> NDArray[np.float64]:
    """Return the rate of clicks to expect at each position of each list, (users x length)."""
    considered = ranked[:, : length + exploration.pool]
    ranks = np.arange(1, considered.shape[1] + 1)[None, :]
    rates = np.where(considered >= 0, clicks.items[considered], 0.0)
    expected = np.empty((len(ranked), length))
    for position in range(1, length + 1):
        place = np.array([[position]])
        chances = probabilities(ranks, place, sizes[:, None], length, exploration)
        expected[:, position - 1] = (chances * rates).sum(axis=1) * clicks.factors(place)[0, 0]
    return np.minimum(expected, 1.0)
