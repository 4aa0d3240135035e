"""From the lists that were just made to the file that requests are answered from.

Nothing is computed twice: the model's order, what the sources said and the likes that speak for an
item come from the pass that has made the lists. The file is written array by array; beside what the
lists need themselves that takes some ten kilobytes of memory a user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.learning.columns import CATEGORIES, FEEDBACK_SCORE, ITEM_ID, TITLE, USER_ID
from feedback_platform.learning.online.array_file import as_arrays, write_arrays
from feedback_platform.learning.online.people import keys_of
from feedback_platform.learning.online.session_feedback import SessionRules
from feedback_platform.learning.ranker_features import FEATURES, SHOWN_DAYS, item_columns
from feedback_platform.learning.ranker_history import DAY, History, Ledger, second_of
from feedback_platform.learning.ranking import numbered, pair_matrix, top_items
from feedback_platform.learning.recommendations import MadeLists
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.training_data import positives

# Of what follows an item; what is weaker hardly orders anything, and the file has to stay small.
NEIGHBOURS: Final = 100
# A segment's taste is told of an item that so many of it like.
_LEAST_LIKERS: Final = 5

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class OnlineSettings:
    """What is known beside the lists when they are made.

    Attributes:
        rules: how a session's events become feedback.
        made_at: when (UTC).
    """

    rules: SessionRules
    made_at: datetime


def write_lists(
    path: Path,
    *,
    model: Recommender,
    made: MadeLists,
    known: History,
    scores: pl.DataFrame,
    items: pl.DataFrame,
    settings: OnlineSettings,
    model_version: str,
    segments: Mapping[str, str],
) -> None:
    """Write the file of some lists.

    Args:
        path: where nothing lies yet.
        model: that has made them.
        made: the lists.
        known: the history that its ranker knew, or would know.
        scores: of all feedback as of now.
        items: the catalogue.
        settings: what is known beside them.
        model_version: of the model.
        segments: user → the name of their segment.
    """
    instant = second_of(made.instant) if made.instant else 0
    users, keys = _users_by_key([*made.met, *made.cold])
    names = sorted({segments[user] for user in users if user in segments})
    facts = {
        "model_version": model_version,
        "made_at": settings.made_at.isoformat(),
        "salt": made.salt,
        "length": made.length,
        "exploration": asdict(made.exploration),
        "threshold": known.threshold,
        "features": list(FEATURES),
        "sources": list(model.ranker.sources) if model.ranker else [],
        "calibration": asdict(model.ranker.calibration) if model.ranker else None,
        "rules": settings.rules.as_facts(),
    }
    arrays: Arrays = {
        **_of_items(model, made, known, items, instant),
        **_neighbours(known),
        **_of_segments(scores, segments, names, known),
        **_of_trees(model),
        **as_arrays("user_ids", users),
        "user_keys": keys,
        "user_rows": _places(users, made.met),
        "user_segments": _places([segments.get(user, "") for user in users], names),
        **_seen(scores, users, known.item_ids),
        **_ledger("own", known.by_user, known, users, since=None),
        **_ledger("shown", known.shown, known, users, since=instant - SHOWN_DAYS * DAY),
        "candidates": made.order.items.astype(np.int32),
        "values": made.order.values.astype(np.float64),
        "said": made.order.said,
        "likes": made.likes,
        "cosines": made.cosines,
    }
    write_arrays(path, facts, arrays)


def _of_trees(model: Recommender) -> Arrays:
    if model.ranker is None:
        return {}
    return {f"tree_{name}": array for name, array in model.ranker.trees.arrays.items()}


def _users_by_key(users: Sequence[str]) -> tuple[list[str], NDArray[np.uint64]]:
    keys = keys_of(users)
    order = np.argsort(keys, kind="stable")
    return [users[row] for row in order.tolist()], keys[order]


def _places(wanted: Sequence[str], listed: Sequence[str]) -> NDArray[np.int32]:
    """Return the place of each in a list, -1 for what is not in it."""
    places = {name: place for place, name in enumerate(listed)}
    return np.array([places.get(name, -1) for name in wanted], dtype=np.int32)


def _of_items(
    model: Recommender, made: MadeLists, known: History, items: pl.DataFrame, instant: int
) -> Arrays:
    listed = numbered(ITEM_ID, known.item_ids, "item").join(
        items.select(ITEM_ID, TITLE, CATEGORIES), on=ITEM_ID, how="left", maintain_order="left"
    )
    pairs = listed.select("item", pl.col(CATEGORIES).list.unique().list.sort()).explode(CATEGORIES)
    pairs = pairs.drop_nulls()
    names = pairs[CATEGORIES].unique().sort().to_list()
    weights = model.popularity.weights
    listable: NDArray[np.float32] = np.where(made.is_available, weights, np.float32(-np.inf))
    popular = top_items(listable[None], None, len(weights))[0]
    popular = popular[(popular >= 0) & (weights[popular] > 0)]
    every = np.arange(len(known.item_ids))
    return {
        **as_arrays("item_ids", known.item_ids),
        **as_arrays("titles", listed.select(pl.coalesce(TITLE, ITEM_ID)).to_series()),
        **as_arrays("category_names", names),
        "categories": known.categories,
        "category_lists": _places(pairs[CATEGORIES].to_list(), names),
        "category_starts": np.searchsorted(
            pairs["item"].to_numpy(), np.arange(len(every) + 1)
        ).astype(np.int64),
        "item_features": np.stack(item_columns(known, every, instant), axis=1).astype(np.float32),
        "popularity": weights.astype(np.float32),
        "popular": popular.astype(np.int32),
        "is_available": made.is_available.astype(np.uint8),
        "is_boosted": made.is_boosted.astype(np.uint8),
    }


def _neighbours(known: History) -> Arrays:
    weights = known.sequences.weights
    lengths = np.diff(weights.indptr)
    keeps = np.ones(len(weights.data), dtype=np.bool_)
    for item in np.flatnonzero(lengths > NEIGHBOURS).tolist():
        part = slice(weights.indptr[item], weights.indptr[item + 1])
        weakest = np.argpartition(weights.data[part], lengths[item] - NEIGHBOURS)
        keeps[part.start + weakest[: lengths[item] - NEIGHBOURS]] = False
    return {
        "neighbours": weights.indices[keeps].astype(np.int32),
        "neighbour_weights": weights.data[keeps].astype(np.float32),
        "neighbour_starts": np.concatenate([[0], np.cumsum(np.minimum(lengths, NEIGHBOURS))]),
    }


def _of_segments(
    scores: pl.DataFrame, segments: Mapping[str, str], names: Sequence[str], known: History
) -> Arrays:
    """Return how many times as often each segment likes an item as everybody."""
    likes = positives(scores, known.threshold)
    liking = likes[USER_ID].unique().sort().to_list()
    likers = pair_matrix(likes, liking, known.item_ids)
    everybody = np.asarray(likers.sum(axis=0)).ravel()
    lifts = np.zeros((len(names), len(known.item_ids)), dtype=np.float32)
    of_segment = _places([segments.get(user, "") for user in liking], names)
    for number in range(len(names)):
        members = np.flatnonzero(of_segment == number)
        count = np.asarray(likers[members].sum(axis=0)).ravel() if len(members) else 0 * everybody
        expected = everybody * len(members) / max(len(liking), 1)
        lifts[number] = np.where(count >= _LEAST_LIKERS, count / np.maximum(expected, 1e-9), 0)
    return {**as_arrays("segments", names), "segment_lifts": lifts}


def _seen(scores: pl.DataFrame, users: Sequence[str], item_ids: Sequence[str]) -> Arrays:
    known = (
        scores.select(USER_ID, ITEM_ID, FEEDBACK_SCORE)
        .join(numbered(USER_ID, users, "row"), on=USER_ID)
        .join(numbered(ITEM_ID, item_ids, "item"), on=ITEM_ID)
        .sort("row", "item")
    )
    return {
        "seen": known["item"].to_numpy().astype(np.int32),
        "seen_scores": known[FEEDBACK_SCORE].to_numpy().astype(np.float32),
        "seen_starts": known["row"].to_numpy().searchsorted(np.arange(len(users) + 1)),
    }


def _ledger(
    name: str, ledger: Ledger, known: History, users: Sequence[str], *, since: int | None
) -> Arrays:
    """Return each user's part of a ledger, in the order of the users."""
    rows = np.array([known.users.get(user, -1) for user in users], dtype=np.int64)
    lengths = np.where(rows >= 0, np.diff(ledger.starts, append=0)[rows], 0)
    of_user = np.repeat(np.arange(len(users)), lengths)
    within = np.arange(len(of_user)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    entries = ledger.starts[rows[of_user]] + within
    if since is not None:
        is_late = ledger.seconds[entries] > since
        entries, of_user = entries[is_late], of_user[is_late]
    values = ledger.values[entries]
    return {
        name: ledger.other[entries].astype(np.int32),
        f"{name}_seconds": ledger.seconds[entries],
        **({"own_scores": values} if name == "own" else {"shown_clicked": values.astype(np.uint8)}),
        f"{name}_starts": of_user.searchsorted(np.arange(len(users) + 1)),
    }
