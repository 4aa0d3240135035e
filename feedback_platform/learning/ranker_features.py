"""The ranker's features, in one place for training and for serving.

Each is a number that is known at the instant of the request; a request is one user's candidates at
one instant. What a source says is standardised over the whole catalogue before, as the ensemble
does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranker_history import DAY, History, Integers, second_of
from feedback_platform.learning.ranker_sequences import LAST

Features = NDArray[np.float32]

# name: what it says. The order is that of the columns, after the sources' scores.
FEATURES: Final[dict[str, str]] = {
    "mean_score": "mean of the sources' standardised scores",
    "best_place": "log2 of 1 + the best place any source gives it among the candidates",
    "worst_place": "the same of the worst",
    "popularity": "log of 1 + the people who liked it so far",
    "popularity_30_days": "the same over the last 30 days",
    "popularity_7_days": "the same over the last 7 days",
    "trend": "popularity of the last 7 days minus that of the last 30",
    "item_score": "mean score of those who liked it, shrunk to the middle of the scale",
    "item_idle_days": "log of 1 + the days since anybody liked it last",
    "item_age_days": "log of 1 + the days since anybody liked it first",
    "item_clicks": "everybody's clicks on it, per impression of the last 30 days, shrunk",
    "follows": "how often it came shortly after the user's last items, in others' feedback",
    "user_feedback": "log of 1 + the items the user has given feedback on",
    "user_liking": "the share of them that the user liked, shrunk to one half",
    "user_idle_days": "log of 1 + the days since the user's last feedback",
    "category_affinity": "the share of the user's likes that is in its categories",
    "category_affinity_recent": "the same of the user's last 10 likes",
    "category_aversion": "the share of the user's dislikes that is in its categories",
    "category_known": "the share of its categories' items the user has given feedback on",
    "times_shown": "log of 1 + how often the user was shown it in the last 30 days",
    "times_clicked": "log of 1 + how often the user clicked on it in those",
    "category_clicks": "the user's clicks in its categories, per impression there, shrunk",
}  # fmt: skip

# The first features of all say what the sources do together; the next are of the item alone.
OF_SOURCES: Final = 3
OF_ITEMS: Final = 8
# Impressions further back count for nothing, so that every instant sees as much of them.
SHOWN_DAYS: Final = 30
_RECENT: Final = 10
_SHRINKAGE: Final = 5.0
_CLICK_PRIOR: Final = (1.0, 10.0)
_NEVER: Final = np.float32(np.nan)


@dataclass(frozen=True, eq=False)
class Candidates:
    """One user's candidates at an instant.

    Attributes:
        user_id: who.
        at: when; everything that happened until then is known.
        items: indexes into the history's items, (n,).
        scores: standardised scores of the sources, (n x sources).
    """

    user_id: str
    at: datetime
    items: Integers
    scores: Features


def features(known: History, candidates: Candidates) -> Features:
    """Return the features of one user's candidates, (n x (sources + FEATURES)).

    Raises:
        InvalidInputError: the scores are not those of the candidates, or an item is unknown.
    """
    items, scores = candidates.items, candidates.scores
    if scores.ndim != 2 or len(scores) != len(items):  # noqa: PLR2004
        raise InvalidInputError(f"{len(items)} candidates have scores of the shape {scores.shape}.")
    if len(items) and not 0 <= items.min() <= items.max() < len(known.item_ids):
        raise InvalidInputError(f"A candidate is none of the {len(known.item_ids)} known items.")
    # Searched for in their order, they are found in a third of the time.
    order = np.argsort(items, kind="stable")
    items, scores = items[order], scores[order]
    second = second_of(candidates.at)
    row = known.users.get(candidates.user_id, -1)
    columns = np.empty((scores.shape[1] + len(FEATURES), len(items)), dtype=np.float32)
    columns[: scores.shape[1]] = scores.T
    blocks = (
        score_columns(scores),
        item_columns(known, items, second),
        _of_user(known, items, row, second),
        _of_impressions(known, items, row, second),
    )
    place = scores.shape[1]
    for block in blocks:
        for column in block:
            columns[place] = column
            place += 1
    rows = np.empty((len(items), len(columns)), dtype=np.float32)
    rows[order] = columns.T
    return rows


def score_columns(scores: Features) -> list[Features]:
    """Return what the sources say together, of all candidates of a request (n x sources).

    Raises:
        InvalidInputError: there is no source.
    """
    places = np.empty(scores.shape, dtype=np.float32)
    order = np.argsort(-scores, axis=0, kind="stable")
    np.put_along_axis(places, order, np.arange(1, len(scores) + 1, dtype=np.float32)[:, None], 0)
    if not scores.shape[1]:
        raise InvalidInputError("Candidates need the score of at least one source.")
    return [
        scores.mean(axis=1),
        np.log2(1 + places.min(axis=1)),
        np.log2(1 + places.max(axis=1)),
    ]


def item_columns(known: History, items: Integers, second: int) -> list[NDArray[np.floating]]:
    """Return what everybody's feedback says of items at an instant; sorted ones are faster.

    The lists of everybody are ranked at one instant: from the second question about an instant on,
    the answers about the whole catalogue are at hand.
    """
    kept = known.of_all_items
    if second not in kept:
        kept.clear()
        kept[second] = None
        return _at_instant(known, items, second)
    table = kept[second]
    if table is None:
        everything = np.arange(len(known.item_ids))
        table = kept[second] = np.stack(_at_instant(known, everything, second))
    return list(table[:, items])


def _at_instant(known: History, items: Integers, second: int) -> list[NDArray[np.floating]]:
    ledger = known.by_item
    start, now = ledger.starts[items], ledger.places(items, second)
    month, week = (ledger.places(items, second - days * DAY) for days in (30, 7))
    count = now - start
    popularity, monthly, weekly = (np.log1p(now - since) for since in (start, month, week))
    total = ledger.running[now] - ledger.running[start]
    idle, age = np.full((2, len(items)), _NEVER)
    liked = np.flatnonzero(count)
    idle[liked] = np.log1p((second - ledger.seconds[now[liked] - 1]) / DAY)
    age[liked] = np.log1p((second - ledger.seconds[start[liked]]) / DAY)
    score = (total + _SHRINKAGE * known.threshold) / (count + _SHRINKAGE)
    shown = known.shown_items
    first, last = shown.places(items, second - SHOWN_DAYS * DAY), shown.places(items, second)
    clicks = shown.running[last] - shown.running[first]
    rate = (clicks + _CLICK_PRIOR[0]) / (last - first + _CLICK_PRIOR[1])
    return [popularity, monthly, weekly, weekly - monthly, score, idle, age, rate]


def user_columns(
    own: Integers,
    is_liked: NDArray[np.bool_],
    idle_seconds: int,
    of_items: NDArray[np.float32],
    categories: NDArray[np.float32],
    category_sizes: NDArray[np.float32],
) -> list[object]:
    """Return what a user's feedback says of candidates, but for what follows it.

    Args:
        own: the items that the user has given feedback on, the newest last.
        is_liked: of each of them.
        idle_seconds: since the newest.
        of_items: the candidates' categories, (n x categories).
        categories: those of all items.
        category_sizes: how many items each category has.
    """
    of_own = categories.take(own, axis=0)
    of_liked = of_own[is_liked]
    return [
        np.log1p(len(own)),
        (len(of_liked) + 0.5 * _SHRINKAGE) / (len(own) + _SHRINKAGE),
        np.log1p(idle_seconds / DAY) if len(own) else _NEVER,
        _affinity(of_items, of_liked),
        _affinity(of_items, of_liked[-_RECENT:]),
        _affinity(of_items, of_own[~is_liked]),
        _known_share(of_items, of_own, category_sizes),
    ]


def impression_columns(
    places: NDArray[np.integer],
    seen: Integers,
    clicked: NDArray[np.floating],
    of_items: NDArray[np.float32],
    categories: NDArray[np.float32],
) -> list[object]:
    """Return what candidates owe to what the user was shown of late.

    Args:
        places: where each impression's item stands among the candidates, -1 for none of them.
        seen: the item of each impression.
        clicked: 1 for a click and 0 otherwise.
        of_items: the candidates' categories, (n x categories).
        categories: those of all items.
    """
    size = len(of_items)
    if not len(seen) or not size:
        return [0.0, 0.0, _NEVER]
    is_candidate = places >= 0
    place = places[is_candidate]
    shown = np.bincount(place, minlength=size)
    clicks = np.bincount(place, clicked[is_candidate], minlength=size)
    by = categories.take(seen, axis=0)
    rate = (clicked @ by + _CLICK_PRIOR[0]) / (by.sum(axis=0) + _CLICK_PRIOR[1])
    return [np.log1p(shown), np.log1p(clicks), of_items @ rate if len(rate) else _NEVER]


def _of_user(known: History, items: Integers, row: int, second: int) -> list[object]:
    part = known.by_user.until(row, second) if row >= 0 else slice(0, 0)
    own, values = known.by_user.other[part], known.by_user.values[part]
    idle = second - int(known.by_user.seconds[part.stop - 1]) if len(own) else 0
    is_liked = values >= known.threshold
    categories, sizes = known.categories, known.category_sizes
    return [
        known.sequences.of(items, own[-LAST:]),
        *user_columns(own, is_liked, idle, categories[items], categories, sizes),
    ]


def _of_impressions(known: History, items: Integers, row: int, second: int) -> list[object]:
    part = slice(0, 0)
    if row >= 0:
        before = known.shown.until(row, second - SHOWN_DAYS * DAY)
        part = slice(before.stop, known.shown.until(row, second).stop)
    seen, clicked = known.shown.other[part], known.shown.values[part]
    place = np.searchsorted(items, seen)
    place[place == len(items)] = 0
    places = np.where(items[place] == seen, place, -1) if len(items) else place
    return impression_columns(places, seen, clicked, known.categories[items], known.categories)


def _known_share(
    of_items: NDArray[np.float32], of_own: NDArray[np.float32], sizes: NDArray[np.float32]
) -> object:
    return of_items @ (np.add.reduce(of_own, axis=0) / sizes) if len(sizes) else _NEVER


def _affinity(of_items: NDArray[np.float32], of_own: NDArray[np.float32]) -> object:
    if not of_own.size:
        return _NEVER
    # The mean, at a third of what a call of `mean` costs few rows.
    return of_items @ (np.add.reduce(of_own, axis=0) / len(of_own))
