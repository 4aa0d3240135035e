"""What a model's lists would have earned after the cut, by what the product has shown there.

What users liked afterwards tells whether a list is relevant, but they liked what they were shown.
Impressions that were logged with their propensity do not owe that to the product: `off_policy`
weighs each by how likely the model would have shown the same. The model is one that knows nothing
from after the cut; its lists are made once, at the cut, with the exploration of the installation.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.events.columns import POSITION, PROPENSITY, RECOMMENDATION_ID
from feedback_platform.learning.click_model import fit_clicks
from feedback_platform.learning.columns import ITEM_ID, USER_ID
from feedback_platform.learning.hold_out import HoldOut, Measured
from feedback_platform.learning.logged_policy import beside_logs
from feedback_platform.learning.off_policy import Estimator, LoggedImpressions, estimate
from feedback_platform.learning.orders import personal_order, popular_order
from feedback_platform.learning.ranker_history import SHOWN_AT
from feedback_platform.learning.recommendations import LIST_LENGTH
from feedback_platform.learning.recommender import Recommender

# Of more users a sample is looked at: ordering the candidates of each takes a millisecond.
MOST_USERS: Final = 5_000
_SEED: Final = 1
_NAMES: Final[dict[Estimator, str]] = {
    "self_normalised": "off_policy_click_rate",
    "inverse_propensity": "off_policy_click_rate_by_inverse_propensity",
    "doubly_robust": "off_policy_click_rate_doubly_robust",
}


def beside_its_logs(measured: Measured, hold_out: HoldOut, model: Recommender) -> Measured:
    """Return a measured model with what was logged after the cut beside its lists.

    Where each user has a cut of their own, and where nothing was logged with a propensity, there is
    nothing to put beside.

    Args:
        measured: the model on the hold-out.
        hold_out: with the impressions, see `HoldOut.logged`.
        model: what was measured; it knows nothing from after the cut.
    """
    cut, logged = hold_out.split.cut, hold_out.logged
    if cut is None or logged is None:
        return measured
    lists = _usable(logged.filter(pl.col(SHOWN_AT) > cut))
    if lists.is_empty():
        return measured
    # Whom the model knows makes no difference to the order: models are compared user by user.
    user_ids = lists[USER_ID].unique().sort().to_list()
    is_met = np.array([user_id in model.known_users for user_id in user_ids])
    met, cold = (list(itertools.compress(user_ids, chosen)) for chosen in (is_met, ~is_met))
    exploration, train = hold_out.exploration, hold_out.split.train
    size = LIST_LENGTH + exploration.pool
    everything = np.ones(len(model.item_ids), dtype=np.bool_)
    known = hold_out.history(model.item_ids) if model.ranker is not None else None
    ranked = np.empty((len(user_ids), size), dtype=np.int64)
    order = personal_order(model, known, train, met, cut, everything, size)
    ranked[is_met] = order.items
    ranked[~is_met], _ = popular_order(model, train, cold, everything, size)
    beside = beside_logs(
        lists,
        user_ids,
        model.item_ids,
        ranked,
        length=LIST_LENGTH,
        exploration=exploration,
        clicks=fit_clicks(_usable(logged.filter(pl.col(SHOWN_AT) <= cut)), model.item_ids),
    )
    return replace(measured, logged=beside)


def earnings(logged: LoggedImpressions | None) -> dict[str, float | int | None]:
    """Return the figures for the registry; none where nothing was logged.

    `logged_click_rate` is what was shown; the others are estimates for the model's lists. The
    self-normalised one leads and has its interval. `off_policy_coverage` is near 1 where the logs
    show what the model would; the effective impressions say how much the estimates rest on.
    """
    if logged is None:
        return {}
    try:
        found = {name: estimate(logged, name, seed=_SEED) for name in _NAMES}
    except InvalidInputError:
        # The model would have shown none of it.
        return {"logged_impressions": len(logged.rewards), "off_policy_coverage": 0.0}
    leading = found["self_normalised"]
    return {
        "logged_impressions": leading.impressions,
        "logged_click_rate": float(logged.rewards.mean()),
        **{_NAMES[name]: value.value for name, value in found.items()},
        "off_policy_click_rate_low": leading.low,
        "off_policy_click_rate_high": leading.high,
        "off_policy_effective_impressions": leading.effective_impressions,
        "off_policy_coverage": leading.mean_weight,
    }


def _usable(lists: pl.DataFrame) -> pl.DataFrame:
    """Return impressions in lists whose propensity is known, in an order of their own."""
    known = lists.drop_nulls([RECOMMENDATION_ID, POSITION, PROPENSITY]).filter(
        pl.col(POSITION).is_between(1, LIST_LENGTH)
        & (pl.col(PROPENSITY) > 0)
        & (pl.col(PROPENSITY) <= 1)
    )
    users = known[USER_ID].unique().sort()
    if len(users) > MOST_USERS:
        places = np.linspace(0, len(users) - 1, MOST_USERS).astype(np.int64)
        known = known.filter(pl.col(USER_ID).is_in(users.gather(places).to_list()))
    return known.sort(USER_ID, SHOWN_AT, RECOMMENDATION_ID, POSITION, ITEM_ID)
