"""What a nightly training costs: time, and the most memory.

    python benchmarks/learning.py [--scores 1000000 10000000]

Scores of a user and an item are made up: a hundred and forty for each user, of forty categories of
which each user has tastes of their own, over half a year; each score follows an impression that was
logged with its propensity. A champion of another recipe is there. Then a recommender is trained,
judged by the gate beside the champion, registered and promoted or not, segments are made, and the
lists of all users, with exploration. Each size runs in a process of its own. What is measured
begins with the frames in memory; how long the warehouse takes to hand them over is not in it.
Beside it, in the same run, the peer: LightFM alone, fitted once with fifteen passes on the same
scores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from machine import say_what_machine

from feedback_platform.lake.store import Lake
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.factorisation import FactorisationParameters, fit_factorisation
from feedback_platform.learning.inner_splits import choose_inner_cuts
from feedback_platform.learning.learned_tables import (
    TrainingFrames,
    learn_recommender,
    learn_segments,
    refresh_recommendations,
)
from feedback_platform.learning.sources import als
from feedback_platform.learning.training_data import (
    ITEMS_SCHEMA,
    POSITIVE_THRESHOLD,
    USERS_SCHEMA,
    choose_cut,
)
from feedback_platform.warehouse.training_tables import SHOWN_FOR

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAYS: Final = 180
SCORES_A_USER: Final = 140
CATEGORIES: Final = 40
LIKED: Final = 0.75
CHUNK: Final = 500_000
STEPS: Final = ("recommender", "segments", "lists", "together", "LightFM alone")


def main() -> None:
    """Print a table, a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scores", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--step", choices=["make", "measure", "peer"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step == "make":
        made(chosen.scores[0]).write_parquet(chosen.directory / "scores.parquet")
        return
    if chosen.step:
        step = measured if chosen.step == "measure" else peer
        print(json.dumps(step(chosen.directory)))
        return
    say_what_machine()
    head = "".join(f"{step + ', s':>18}" for step in STEPS)
    print(f"{'scores':>12}{'users':>10}{'items':>8}{head}{'memory, MB':>12}{'nDCG@10':>9}")
    for scores in chosen.scores:
        with tempfile.TemporaryDirectory() as name:
            command = [sys.executable, __file__, "--directory", name, "--scores", str(scores)]
            subprocess.run([*command, "--step", "make"], check=True)  # noqa: S603 - this file
            found = json.loads(subprocess.check_output([*command, "--step", "measure"]))  # noqa: S603
            found |= json.loads(subprocess.check_output([*command, "--step", "peer"]))  # noqa: S603
        print(
            f"{scores:>12,}{found['users']:>10,}{found['items']:>8,}"
            + "".join(f"{found[step]:>18.1f}" for step in STEPS)
            + f"{found['memory']:>12,.0f}{found['ndcg']:>9.4f}",
            flush=True,
        )


def made(scores: int, seed: int = 1) -> pl.DataFrame:
    """Return so many scores of different pairs."""
    chance = np.random.default_rng(seed)
    users, items = scores // SCORES_A_USER, 10_000 if scores > 3_000_000 else 5_000  # noqa: PLR2004
    activity = chance.pareto(1.5, users) + 0.2
    activity = np.cumsum(activity / activity.sum())
    tastes = np.cumsum(np.exp(chance.normal(0, 1.3, (users, CATEGORIES))), axis=1)
    tastes /= tastes[:, -1:]
    pairs = np.empty(0, dtype=np.int64)
    while len(pairs) < scores:
        drawn = []
        for _ in range(max(1, (scores - len(pairs)) // CHUNK)):
            user = np.minimum(np.searchsorted(activity, chance.random(CHUNK)), users - 1)
            category = (tastes[user] < chance.random(CHUNK)[:, None]).sum(axis=1)
            place = (items // CATEGORIES * chance.random(CHUNK) ** 2).astype(np.int64)
            drawn.append(user * items + place * CATEGORIES + category)
        pairs = np.unique(np.concatenate([pairs, *drawn]))
    pairs = chance.permutation(pairs)[:scores]
    is_liked = chance.random(scores) < LIKED
    seconds = chance.random(scores) * DAYS * 86_400
    return pl.DataFrame(
        {
            "user": pairs // items,
            "item": pairs % items,
            "feedback_score": np.where(
                is_liked, chance.uniform(0.5, 1, scores), chance.uniform(0, 0.5, scores)
            ),
            "confidence": chance.uniform(0.2, 1, scores),
            "after": (seconds * 1e6).astype(np.int64),
        }
    ).select(
        pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(7)).alias("user_id"),
        pl.format("i{}", pl.col("item").cast(pl.String).str.zfill(6)).alias("item_id"),
        "feedback_score",
        "confidence",
        (pl.lit(BEGINNING) + pl.duration(microseconds="after"))
        .cast(pl.Datetime("us", "UTC"))
        .alias("last_feedback_at"),
    )


def measured(directory: Path, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Train, group and list, and return seconds by step, the memory and how good it was."""
    scores = pl.read_parquet(directory / "scores.parquet")
    items, users = described(scores), pl.DataFrame(schema=USERS_SCHEMA)
    times = scores["last_feedback_at"]
    cut = choose_cut(times)
    inner_cuts = choose_inner_cuts(times, cut)
    shown = impressions(scores, min([cut, *inner_cuts]) - SHOWN_FOR)
    frames = TrainingFrames(
        scores=scores,
        scores_at_cut=scores.filter(pl.col("last_feedback_at") <= cut),
        cut=cut,
        scores_at_inner_cuts={
            inner: scores.filter(pl.col("last_feedback_at") <= inner) for inner in inner_cuts
        },
        items=items,
        items_at_cut=items,
        users=users,
        users_at_cut=users,
        shown=shown,
        shown_at_cut=shown.filter(pl.col("shown_at") < cut),
    )
    lake, now = Lake((directory / "lake").as_uri()), BEGINNING + timedelta(days=DAYS)
    before = now - timedelta(minutes=1)
    learn_recommender(lake, frames, now=before, trigger="initial", sources=[als(32, 40, 5)])
    spent: dict[str, float] = {}
    with timed(spent, "recommender", clock):
        learned = learn_recommender(
            lake, frames, now=now, trigger="manual", exploration=Exploration()
        )
    shares = (
        scores.join(items.explode("categories"), on="item_id")
        .group_by("user_id", category="categories")
        .agg(affinity=pl.col("feedback_score").sum())
        .with_columns(pl.col("affinity") / pl.col("affinity").sum().over("user_id"))
    )
    features = scores.group_by("user_id").agg(average=pl.col("feedback_score").mean())
    with timed(spent, "segments", clock):
        learn_segments(lake, shares, features, now=now, trigger="manual")
    with timed(spent, "lists", clock):
        refresh_recommendations(lake, scores, items, shown=shown, exploration=Exploration())
    return {
        **spent,
        "together": sum(spent.values()),
        "users": scores["user_id"].n_unique(),
        "items": items.height,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "ndcg": learned.trained.evaluation.mean("ndcg"),
    }


def impressions(scores: pl.DataFrame, since: datetime) -> pl.DataFrame:
    """Return what was shown a minute before each piece of feedback, clicked where it was liked."""
    chance = np.random.default_rng(2)
    recent = scores.filter(pl.col("last_feedback_at") > since)
    number = pl.int_range(pl.len())
    return recent.select(
        "user_id",
        "item_id",
        (pl.col("last_feedback_at") - timedelta(minutes=1)).alias("shown_at"),
        (pl.col("feedback_score") >= POSITIVE_THRESHOLD).alias("is_clicked"),
        pl.format("r{}", number).alias("recommendation_id"),
        pl.Series("position", chance.integers(1, 11, recent.height), pl.Int64),
        pl.Series("propensity", chance.uniform(0.001, 0.1, recent.height)),
    )


def peer(directory: Path, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Fit LightFM by itself, once, with every pass over all positives."""
    scores = pl.read_parquet(directory / "scores.parquet")
    items, users = described(scores), pl.DataFrame(schema=USERS_SCHEMA)
    parameters = FactorisationParameters(most_steps=2**62)
    spent: dict[str, float] = {}
    with timed(spent, "LightFM alone", clock):
        fit_factorisation(scores, items, users, parameters=parameters, seed=1)
    return spent


def described(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the items, each with its category."""
    number = pl.col("item_id").str.slice(1).cast(pl.Int64) % CATEGORIES
    return (
        scores.select("item_id")
        .unique()
        .sort("item_id")
        .with_columns(
            pl.lit(None, pl.String).alias("title"),
            pl.concat_list(pl.format("c{}", number)).alias("categories"),
        )
        .cast(dict(ITEMS_SCHEMA))  # type: ignore[arg-type]
    )


@contextmanager
def timed(spent: dict[str, float], step: str, clock: Callable[[], float]) -> Iterator[None]:
    """Take down how long something takes, by a clock in seconds."""
    began = clock()
    yield
    spent[step] = clock() - began


if __name__ == "__main__":
    main()
