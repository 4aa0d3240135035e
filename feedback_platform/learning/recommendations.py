"""The best unseen items of every user, each with a reason that the user can follow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.learning.boosting import Values, boost
from feedback_platform.learning.candidate_ranker import Probabilities
from feedback_platform.learning.columns import (
    ITEM_ID,
    LAST_FEEDBACK_AT,
    MODEL_VERSION,
    PROPENSITY,
    RANK,
    REASON,
    SCORE,
    TITLE,
    USER_ID,
)
from feedback_platform.learning.exploration import (
    NO_EXPLORATION,
    Exploration,
    Explored,
    draws_of,
    explore,
)
from feedback_platform.learning.orders import PersonalOrder, personal_order, popular_order
from feedback_platform.learning.ranker_history import History
from feedback_platform.learning.ranking import (
    Ranked,
    pair_matrix,
)
from feedback_platform.learning.reasons import nearest_likes
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.training_data import POSITIVE_THRESHOLD, checked_scores, positives

LIST_LENGTH: Final = 20
POPULAR: Final = "Popular with everybody"
FITTING: Final = "Fits what you liked"
EXPLORED: Final = "Shown to find out whether you like it"
BECAUSE_LIKED: Final = "Because you liked {}"
# How many of a user's likes are kept for each item, to explain it by.
SPEAKING: Final = 3
_BECAUSE: Final = "because"
RECOMMENDATIONS_SCHEMA: Final = {
    USER_ID: pl.String(),
    RANK: pl.Int32(),
    ITEM_ID: pl.String(),
    SCORE: pl.Float64(),
    MODEL_VERSION: pl.String(),
    REASON: pl.String(),
    PROPENSITY: pl.Float64(),
}


@dataclass(frozen=True, eq=False)
class MadeLists:
    """Everybody's lists, and what they were made of.

    Attributes:
        table: the lists, `RECOMMENDATIONS_SCHEMA`.
        met: the users that got a ranking of their own, sorted.
        cold: those that got what is popular, sorted.
        order: the model's order for those who were met, before anything was boosted or explored.
        likes: (met x size x `SPEAKING`), which of the user's likes speak most for each of these, -1
            for none.
        cosines: how near each is, of the same shape.
        instant: the newest feedback, None without any.
        salt: of what was drawn.
        exploration: how often two items of a list change places.
        length: of the lists.
        is_available, is_boosted: of each item.
    """

    table: pl.DataFrame
    met: list[str]
    cold: list[str]
    order: PersonalOrder
    likes: NDArray[np.int32]
    cosines: NDArray[np.float32]
    instant: datetime | None
    salt: str
    exploration: Exploration
    length: int
    is_available: NDArray[np.bool_]
    is_boosted: NDArray[np.bool_]


def recommend(
    model: Recommender, scores: pl.DataFrame, items: pl.DataFrame, **told: Any
) -> pl.DataFrame:
    """Return the lists alone; the arguments are those of `make_lists`."""
    return make_lists(model, scores, items, **told).table


def make_lists(
    model: Recommender,
    scores: pl.DataFrame,
    items: pl.DataFrame,
    *,
    model_version: str,
    user_ids: Sequence[str] | None = None,
    unavailable: Collection[str] = (),
    boosted: Collection[str] = (),
    known: History | None = None,
    has_own_instants: bool = False,
    exploration: Exploration = NO_EXPLORATION,
    n: int = LIST_LENGTH,
    threshold: float = POSITIVE_THRESHOLD,
) -> MadeLists:
    """Make lists of the n best items of each user that the user has given no feedback on.

    A user the model knows gets its ranking, and as reason the user's own positively scored item
    that is liked by most of the same people (`reasons`). Any other user gets what is popular; so
    does one who was there at training but of whom no positive score is left now.

    The score orders one user's list. Of a known user it is the probability that the ranker gives
    the item, or the ensemble's sum where the model has no ranker; of others it is the popularity.
    The ranker's instant is that of the newest feedback, or of each user's own where it has learned
    from such; what is drawn depends on the day of the newest and the user. So equal frames make
    equal lists. Where exploration has raised an item, its
    score is what it was, and the propensity of each place says how likely its item was there.

    Args:
        model: the champion.
        scores: all user x item scores as of now (`training_data.SCORES_SCHEMA`).
        items: item_id and title (`ITEMS_SCHEMA`); an item without a title is named by its id.
        model_version: written into every row.
        user_ids: who gets a list; everybody with a score when left out.
        unavailable: items that nobody is shown; a user's like of one is a reason all the same.
        boosted: items that come earlier in everybody's list than the model has them (`boosting`).
        known: what a ranker has to know, over the model's items; a model without one needs none.
        has_own_instants: whether the ranker has learned from each user's own last feedback.
        exploration: how often two items of a list change places; never when left out.
        n: length of a list; shorter where fewer unseen (or popular) items are left.
        threshold: a score from here on is positive.

    Returns:
        A table of the columns of `RECOMMENDATIONS_SCHEMA`, sorted by user and rank; ranks count
        from 1 without gaps; and what it was made of.

    Raises:
        InvalidInputError: the scores frame is malformed, or a ranker lacks its history.
    """
    scores = checked_scores(scores)
    wanted = scores[USER_ID].unique().to_list() if user_ids is None else user_ids
    liked = positives(scores, threshold).filter(pl.col(ITEM_ID).is_in(model.item_ids))
    liking = set(liked[USER_ID])
    met = sorted(user for user in set(wanted) if user in model.known_users and user in liking)
    cold = sorted(set(wanted).difference(met))
    is_available = ~np.isin(model.item_ids, list(unavailable))
    size = n + exploration.pool
    now: datetime | None = scores[LAST_FEEDBACK_AT].max()  # type: ignore[assignment]
    salt = f"{now:%Y-%m-%d}" if now else ""
    is_boosted = np.isin(model.item_ids, list(boosted))
    instants = _own_instants(scores) if has_own_instants else now
    order = personal_order(model, known, scores, met, instants, is_available, size)
    likes = pair_matrix(liked, sorted(liking), model.item_ids)
    own = pair_matrix(liked, met, model.item_ids)
    nearest, cosines = nearest_likes(order.items, own, likes, SPEAKING)
    ranks = np.broadcast_to(np.arange(size), order.items.shape)
    lifted, origins = boost(order.items, ranks, is_boosted)
    origin = origins.astype(np.int64)
    values: Values = np.take_along_axis(order.values, origin, axis=1)
    personal = _shown(met, lifted, values, n, salt, exploration)
    most_liked = boost(*popular_order(model, scores, cold, is_available, size), is_boosted)
    popular = _shown(cold, *most_liked, n, salt, exploration)
    listed_at = np.take_along_axis(origin, personal.explored.ranks, axis=1)
    reasons = np.take_along_axis(nearest[:, :, 0], listed_at, axis=1)
    listed = pl.concat(
        [
            _listed(met, personal, reasons, FITTING, model),
            _listed(cold, popular, np.full_like(popular.explored.items, -1), POPULAR, model),
        ]
    )
    titles = items.select(ITEM_ID, TITLE).rename({ITEM_ID: _BECAUSE})
    name = pl.coalesce(TITLE, _BECAUSE)
    table = (
        listed.join(titles, on=_BECAUSE, how="left")
        .with_columns(
            pl.lit(model_version).alias(MODEL_VERSION),
            pl.coalesce(pl.format(BECAUSE_LIKED, name), REASON).alias(REASON),
        )
        .select(*RECOMMENDATIONS_SCHEMA)
        .sort(USER_ID, RANK)
    )
    return MadeLists(
        table,
        met,
        cold,
        order,
        nearest,
        cosines,
        now,
        salt,
        exploration,
        n,
        is_available,
        is_boosted,
    )


def _own_instants(scores: pl.DataFrame) -> dict[str, datetime]:
    last = scores.group_by(USER_ID).agg(pl.col(LAST_FEEDBACK_AT).max())
    return dict(last.iter_rows())


@dataclass(frozen=True, eq=False)
class _Shown:
    """Lists with the models' scores of their items, (users x n)."""

    explored: Explored
    scores: Probabilities


def _shown(
    users: Sequence[str],
    ranked: Ranked,
    scores: Values,
    n: int,
    salt: str,
    exploration: Exploration,
) -> _Shown:
    explored = explore(ranked, n, draws_of(users, salt), exploration)
    shown: Probabilities = np.take_along_axis(scores, explored.ranks, axis=1).astype(np.float64)
    return _Shown(explored, shown)


def _listed(
    users: Sequence[str],
    shown: _Shown,
    because: NDArray[np.integer],
    otherwise: str,
    model: Recommender,
) -> pl.DataFrame:
    """Return the lists as rows; `because` is the item of the reason, -1 where there is none."""
    explored = shown.explored
    rows, places = np.nonzero(explored.items >= 0)
    names = pl.Series([*model.item_ids, None], dtype=pl.String)
    is_raised = explored.is_raised[rows, places]
    reason = np.where(is_raised, -1, because[rows, places])
    return pl.DataFrame(
        {
            USER_ID: pl.Series(users, dtype=pl.String).gather(rows),
            RANK: pl.Series(places + 1, dtype=pl.Int32),
            ITEM_ID: names.gather(explored.items[rows, places]),
            SCORE: pl.Series(shown.scores[rows, places], dtype=pl.Float64),
            PROPENSITY: pl.Series(explored.propensities[rows, places], dtype=pl.Float64),
            _BECAUSE: names.gather(np.where(reason >= 0, reason, len(model.item_ids))),
            REASON: pl.Series(np.where(is_raised, EXPLORED, otherwise), dtype=pl.String),
        }
    )
