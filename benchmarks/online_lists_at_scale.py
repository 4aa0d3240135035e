"""What a list of the moment costs with 100,000 items: made-up lists, and the time of a request.

    python benchmarks/online_lists_at_scale.py [--items 100000] [--users 2000] [--requests 1500]

Five sources, 100 trees of eight leaves, 100 stored candidates and up to 50 new ones, a history of
143 items and 60 impressions of each user. Requests of a kind come from one user after the other.
Times are of the processor, on one thread. The peer is LightGBM, which only predicts by these trees
for as many rows as a list has candidates after a click: no features are made, nothing is listed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import polars as pl
from machine import say_what_machine
from numpy.typing import NDArray
from online_lists import EVENTS_SCHEMA, session_rules

from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.online.array_file import as_arrays, write_arrays
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.people import keys_of
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.learning.ranker_calibration import Calibration
from feedback_platform.learning.ranker_features import FEATURES, OF_ITEMS, OF_SOURCES
from feedback_platform.learning.ranker_trees import Trees

SOURCES: Final = 5
CANDIDATES: Final = 100
NEW_CANDIDATES: Final = 50
NEIGHBOURS: Final = 100
CATEGORIES: Final = 30
OWN: Final = 143
SHOWN: Final = 60
MADE_AT: Final = datetime(2026, 3, 1, tzinfo=UTC)
NEWEST: Final = int(MADE_AT.timestamp())
WARM_UP: Final = 50


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--requests", type=int, default=1_500)
    chosen = parser.parse_args()
    say_what_machine()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.lists"
        generator = np.random.default_rng(1)
        arrays = {**of_items(chosen.items, generator), **of_users(chosen, generator)}
        booster = trees(generator)
        of_trees = {f"tree_{name}": array for name, array in Trees.of(booster).arrays.items()}
        write_arrays(path, facts(), {**arrays, **of_trees})
        print(f"a file of {path.stat().st_size / 1e6:.0f} MB")
        report(OnlineLists.open(path), chosen.requests, generator)
        report_peer(booster, chosen.requests, generator)


def facts() -> dict[str, Any]:
    """Return what is said of the arrays."""
    return {
        "model_version": "made-up",
        "made_at": MADE_AT.isoformat(),
        "instant": NEWEST,
        "salt": "2026-03-01",
        "length": 20,
        "exploration": asdict(Exploration()),
        "threshold": 0.5,
        "features": list(FEATURES),
        "sources": [f"source {number}" for number in range(SOURCES)],
        "calibration": asdict(Calibration(intercept=0.0, slope=1.0)),
        "rules": session_rules(pl.DataFrame(schema=EVENTS_SCHEMA)).as_facts(),
    }


def trees(generator: np.random.Generator) -> lgb.Booster:
    """Return trees that ask for all features."""
    width = SOURCES + len(FEATURES)
    rows = generator.random((4_000, width)).astype(np.float32)
    is_right = rows @ generator.random(width) + generator.normal(0, 1, len(rows)) > width / 4
    told = {"objective": "binary", "num_leaves": 8, "verbose": -1, "num_threads": 1}
    return lgb.train(told, lgb.Dataset(rows, is_right.astype(int)), 100)


def of_items(items: int, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Return items of one category each, every one followed by as many as are kept."""
    of_item = generator.integers(0, CATEGORIES, items)
    categories = np.zeros((items, CATEGORIES), dtype=np.float32)
    categories[np.arange(items), of_item] = 1
    return {
        **as_arrays("item_ids", [f"i{item}" for item in range(items)]),
        **as_arrays("titles", [f"Item {item}" for item in range(items)]),
        **as_arrays("category_names", [f"kind {number}" for number in range(CATEGORIES)]),
        **as_arrays("segments", ["everybody"]),
        "categories": categories,
        "category_lists": of_item.astype(np.int32),
        "category_starts": np.arange(items + 1),
        "item_features": generator.random((items, OF_ITEMS)).astype(np.float32),
        "popularity": np.linspace(1, 0.1, items, dtype=np.float32),
        "popular": np.arange(items, dtype=np.int32),
        "is_available": np.ones(items, dtype=np.uint8),
        "is_boosted": np.zeros(items, dtype=np.uint8),
        "neighbours": generator.integers(0, items, items * NEIGHBOURS).astype(np.int32),
        "neighbour_weights": generator.random(items * NEIGHBOURS).astype(np.float32),
        "neighbour_starts": np.arange(items + 1) * NEIGHBOURS,
        "segment_lifts": np.ones((1, items), dtype=np.float32),
    }


def of_users(chosen: argparse.Namespace, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Return users, their candidates and what they did."""
    items, count = chosen.items, chosen.users
    users = sorted((f"u{user}" for user in range(count)), key=lambda user: keys_of([user])[0])
    rows = range(count)
    own = np.stack([generator.choice(items, OWN, replace=False) for _ in rows])
    shape = (count, CANDIDATES)
    seconds = NEWEST - generator.integers(0, 10**6, (count, OWN + SHOWN))
    return {
        **as_arrays("user_ids", users),
        "user_keys": keys_of(users),
        "user_rows": np.arange(count, dtype=np.int32),
        "user_segments": np.zeros(count, dtype=np.int32),
        "seen": np.sort(own, axis=1).ravel().astype(np.int32),
        "seen_scores": generator.random(own.size).astype(np.float32),
        "seen_starts": np.arange(count + 1) * OWN,
        "own": own.ravel().astype(np.int32),
        "own_seconds": np.sort(seconds[:, :OWN], axis=1).ravel(),
        "own_scores": generator.random(own.size),
        "own_starts": np.arange(count + 1) * OWN,
        "shown": generator.integers(0, items, count * SHOWN).astype(np.int32),
        "shown_seconds": np.sort(seconds[:, OWN:], axis=1).ravel(),
        "shown_clicked": generator.integers(0, 2, count * SHOWN).astype(np.uint8),
        "shown_starts": np.arange(count + 1) * SHOWN,
        "candidates": np.stack(
            [generator.choice(items, CANDIDATES, replace=False) for _ in rows]
        ).astype(np.int32),
        "values": np.sort(generator.random(shape), axis=1)[:, ::-1],
        "said": generator.random((*shape, SOURCES + OF_SOURCES)).astype(np.float32),
        "likes": generator.integers(0, items, (*shape, 3)).astype(np.int32),
        "cosines": generator.random((*shape, 3)).astype(np.float32),
    }


def report(lists: OnlineLists, requests: int, generator: np.random.Generator) -> None:
    """Print what requests take."""
    now = float(NEWEST + 4_000)
    users = lists.people.user_ids.all()

    def clicked(events: int) -> list[SessionEvent]:
        found = generator.integers(0, len(lists.catalogue.item_ids), events)
        return [SessionEvent("item_clicked", f"i{item}", None, now - 9) for item in found.tolist()]

    def listed(user: str, session: list[SessionEvent]) -> None:
        lists.recommend(user, session, now=now)

    def explained(user: str, session: list[SessionEvent]) -> None:
        lists.explain(user, session, "i7", now=now)

    def timed(title: str, ask: Callable[[str, list[SessionEvent]], None], events: int) -> None:
        taken = []
        for number in range(requests + WARM_UP):
            user = "a stranger" if "stranger" in title else users[number % len(users)]
            session = clicked(events)
            started = time.thread_time_ns()
            ask(user, session)
            taken.append(time.thread_time_ns() - started)
        _print_row(title, taken)

    timed("the published list", listed, 0)
    timed("after one click", listed, 1)
    timed("after five clicks", listed, 5)
    timed("a stranger", listed, 0)
    timed("a stranger after one click", listed, 1)
    timed("an explanation", explained, 1)


def report_peer(booster: lgb.Booster, requests: int, generator: np.random.Generator) -> None:
    """Print what LightGBM takes for the rows of one list."""
    rows = generator.random((CANDIDATES + NEW_CANDIDATES, SOURCES + len(FEATURES)))
    taken = []
    for _ in range(requests + WARM_UP):
        started = time.thread_time_ns()
        booster.predict(rows, num_threads=1)
        taken.append(time.thread_time_ns() - started)
    _print_row("LightGBM's trees alone", taken)


def _print_row(title: str, taken: list[int]) -> None:
    low, median, late = np.quantile(np.array(taken[WARM_UP:]) / 1e3, [0.1, 0.5, 0.99])
    print(f"{title:<28} a tenth {low:6.0f}  median {median:6.0f}  p99 {late:6.0f} µs")


if __name__ == "__main__":
    main()
