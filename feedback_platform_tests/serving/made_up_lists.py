"""Files of lists that nobody learned: arrays drawn at random, of any size, and quickly made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.lake.store import Lake
from feedback_platform.learning.exploration import NO_EXPLORATION, Exploration
from feedback_platform.learning.online.array_file import as_arrays, write_arrays
from feedback_platform.learning.online.people import keys_of
from feedback_platform.learning.online.publication import publish_lists
from feedback_platform.learning.ranker_calibration import Calibration
from feedback_platform.learning.ranker_features import FEATURES, OF_ITEMS, OF_SOURCES
from feedback_platform.learning.ranker_trees import Trees
from feedback_platform_tests.learning.online.world import RULES

Arrays = dict[str, NDArray[Any]]

CATEGORIES: Final = ("drama", "comedy", "crime", "war", "music")
_SOURCES: Final = 3
_LIKES: Final = 3


def publish_made_up_lists(
    lake: Lake, user_ids: Sequence[str], made_at: datetime | None = None, **sizes: Any
) -> str:
    """Publish lists as learning does; return their key."""
    made_at = made_at or datetime.now(UTC)
    return publish_lists(
        lake, lambda path: write_made_up_lists(path, user_ids, made_at=made_at, **sizes), made_at
    )


def write_made_up_lists(
    path: Path,
    user_ids: Sequence[str],
    *,
    made_at: datetime,
    items: int = 60,
    candidates: int = 30,
    own: int = 4,
    neighbours: int = 10,
    model_version: str = "made-up",
    exploration: Exploration = NO_EXPLORATION,
    trees: Trees | None = None,
) -> None:
    """Write a file of lists.

    Args:
        path: where nothing lies yet.
        user_ids: who has a list.
        made_at: when.
        items: how many there are; item number n is called `item-n`.
        candidates: of each user; all of them are different ones.
        own: on how many items each user gave feedback.
        neighbours: how many items follow each.
        model_version: of the lists.
        exploration: how much is drawn.
        trees: the ranker, over `FEATURES` and three sources; None for a model without one.
    """
    random = np.random.default_rng(1)
    keys = keys_of(user_ids)
    order = np.argsort(keys, kind="stable")
    users = [user_ids[place] for place in order.tolist()]
    popularity = np.sort(random.gamma(1.0, 50.0, items).astype(np.float32))[::-1]
    facts = {
        "model_version": model_version,
        "made_at": made_at.isoformat(),
        "salt": f"{made_at:%Y-%m-%d}",
        "length": 20,
        "exploration": asdict(exploration),
        "threshold": 0.5,
        "features": list(FEATURES),
        "sources": [f"source {number}" for number in range(_SOURCES)] if trees else [],
        "calibration": asdict(Calibration(-2.0, 1.0)) if trees else None,
        "rules": RULES.as_facts(),
    }
    arrays: Arrays = {
        **_of_items(items, popularity, random),
        **_starts_of("neighbour_starts", items, neighbours),
        "neighbours": random.integers(0, items, items * neighbours, dtype=np.int32),
        "neighbour_weights": random.random(items * neighbours, dtype=np.float32),
        **({f"tree_{name}": array for name, array in trees.arrays.items()} if trees else {}),
        **as_arrays("user_ids", users),
        "user_keys": keys[order],
        "user_rows": np.arange(len(users), dtype=np.int32),
        "user_segments": random.integers(0, 2, len(users), dtype=np.int32),
        **_of_users(len(users), items, candidates, own, made_at, random, has_ranker=bool(trees)),
    }
    write_arrays(path, facts, arrays)


def _of_items(items: int, popularity: NDArray[np.float32], random: np.random.Generator) -> Arrays:
    category = random.integers(0, len(CATEGORIES), items)
    return {
        **as_arrays("item_ids", [f"item-{number}" for number in range(items)]),
        **as_arrays("titles", [f"Item {number}" for number in range(items)]),
        **as_arrays("category_names", CATEGORIES),
        "categories": np.eye(len(CATEGORIES), dtype=np.float32)[category],
        "category_lists": category.astype(np.int32),
        **_starts_of("category_starts", items, 1),
        "item_features": random.random((items, OF_ITEMS), dtype=np.float32),
        "popularity": popularity,
        "popular": np.arange(items, dtype=np.int32),
        "is_available": np.ones(items, dtype=np.uint8),
        "is_boosted": np.zeros(items, dtype=np.uint8),
        **as_arrays("segments", ["early birds", "night owls"]),
        "segment_lifts": random.random((2, items), dtype=np.float32),
    }


def _of_users(
    users: int,
    items: int,
    candidates: int,
    own: int,
    made_at: datetime,
    random: np.random.Generator,
    *,
    has_ranker: bool,
) -> Arrays:
    # Consecutive items from anywhere: all different, and quickly drawn.
    first = random.integers(0, items, (users, 1))
    found = (first + 1 + np.arange(own + candidates)) % items
    known = np.sort(found[:, :own], axis=1)
    shape = (users, candidates)
    long_ago = int(made_at.timestamp()) - 86_400
    width = _SOURCES + OF_SOURCES if has_ranker else 0
    return {
        **_starts_of("seen_starts", users, own),
        "seen": known.astype(np.int32).ravel(),
        "seen_scores": np.full(known.size, 0.8, dtype=np.float32),
        **_starts_of("own_starts", users, own),
        "own": found[:, :own].astype(np.int32).ravel(),
        "own_seconds": np.tile(long_ago + np.arange(own), users),
        "own_scores": np.full(known.size, 0.8),
        **_starts_of("shown_starts", users, 0),
        "shown": np.empty(0, dtype=np.int32),
        "shown_seconds": np.empty(0, dtype=np.int64),
        "shown_clicked": np.empty(0, dtype=np.uint8),
        "candidates": found[:, own:].astype(np.int32),
        "values": np.sort(random.random(shape), axis=1)[:, ::-1].copy(),
        "said": random.random((*shape, width), dtype=np.float32),
        "likes": np.full((*shape, _LIKES), -1, dtype=np.int32),
        "cosines": np.zeros((*shape, _LIKES), dtype=np.float32),
    }


def _starts_of(name: str, parts: int, length: int) -> Arrays:
    return {name: np.arange(parts + 1, dtype=np.int64) * length}
