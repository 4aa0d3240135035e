"""What the ranker adds to the candidate sources, and what it costs.

    python benchmarks/ranker.py [--movielens-100k PATH] [--movielens-small PATH] [--users 5000]

On the platform's own simulation, and on real ratings where their path is given: MovieLens-100k
(`u.data`, or RecBole's `ml-100k.inter` with `ml-100k.item` beside it for the genres) and the
directory of MovieLens latest-small. Neither may be redistributed, so neither is part of this
repository.

Every split is one in time. Real ratings are split twice: with a cut for each user before the last
fifth of their own ratings, and at global cuts, of which there are several because few users rate on
both sides of one; a user who is measured at several counts once, with the mean. The ranker's
examples, its parameters and the ensemble's votes come from splits of the training part alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from machine import say_what_machine

from feedback_platform.learning.columns import (
    CATEGORIES,
    CONFIDENCE,
    FEEDBACK_SCORE,
    ITEM_ID,
    LAST_FEEDBACK_AT,
    TITLE,
    USER_ID,
)
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.evaluation import Evaluation, MeanDifference, evaluate
from feedback_platform.learning.factorisation import FactorisationParameters
from feedback_platform.learning.ranker import Ranker, fit_ranker
from feedback_platform.learning.ranker_candidates import candidates_of
from feedback_platform.learning.ranker_history import IS_CLICKED, SHOWN_AT, History, history
from feedback_platform.learning.ranker_impressions import joined
from feedback_platform.learning.ranker_lists import examples_of, instants_of, ranked_at
from feedback_platform.learning.ranking import Scorer, pair_matrix
from feedback_platform.learning.selection import library, select
from feedback_platform.learning.sources import (
    Model,
    Source,
    TrainingInput,
    als,
    item_ease,
    lightfm,
    popularity,
    user_ease,
    within_reach,
)
from feedback_platform.learning.training_data import (
    ITEMS_SCHEMA,
    SCORES_SCHEMA,
    USERS_SCHEMA,
    TimeSplit,
    choose_cut,
    split_at,
    split_per_user,
)
from feedback_platform.simulation import SimulationParameters, simulate
from feedback_platform.simulation.product import catalogue

SOURCES: Final[tuple[Source, ...]] = (
    item_ease(150),
    user_ease(600),
    als(32, 40, 5, 0.25),
    lightfm("warp", FactorisationParameters()),
    popularity(),
    popularity(30),
)
ENSEMBLE: Final = "ensemble"
FOLLOWS: Final = "follows (the ranker's own)"
# Shares of the feedback after a cut.
OUTER: Final = (0.4, 0.3, 0.2, 0.1)
INNER: Final = (0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
# Weeks of the simulation that end so many days before the cut; they may overlap.
DAYS_BEFORE: Final = (0, 3, 7)
REQUESTS: Final = 2_000
RESAMPLES: Final = 2_000
# What an event says of an item, on the platform's scale; a stand-in for its feedback scores.
SAYS: Final = {
    "item_dismissed": 0.0,
    "item_clicked": 0.6,
    "item_viewed": 0.6,
    "item_used": 0.8,
    "item_liked": 1.0,
}


@dataclass(frozen=True, eq=False)
class Feedback:
    """A data set: scores and items; what was shown, and the events behind it, where known."""

    scores: pl.DataFrame
    items: pl.DataFrame
    shown: pl.DataFrame | None = None
    events: pl.DataFrame | None = None


@dataclass(eq=False)
class Results:
    """nDCG of each model: name → user → one value for each cut."""

    ndcg: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    errors: list[float] = field(default_factory=list)

    def add(self, name: str, evaluation: Evaluation) -> None:
        """Take in the values of one cut."""
        of_users = self.ndcg.setdefault(name, {})
        for user, value in zip(evaluation.user_ids, evaluation.per_user["ndcg"], strict=True):
            of_users.setdefault(user, []).append(float(value))

    def means(self, name: str) -> np.ndarray:
        """Return each user's mean over the cuts."""
        return np.array([np.mean(values) for values in self.ndcg[name].values()])

    def gain(self, first: str, second: str, seed: int) -> MeanDifference:
        """Return the mean difference over users, with its bootstrap interval."""
        differences = self.means(first) - self.means(second)
        drawn = np.random.default_rng(seed).integers(
            0, len(differences), (RESAMPLES, len(differences))
        )
        low, high = np.quantile(differences[drawn].mean(axis=1), [0.025, 0.975])
        return MeanDifference(float(differences.mean()), float(low), float(high))


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was fitted on a part of the data."""

    models: Mapping[str, Model]
    known: History


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--movielens-100k", type=Path, metavar="PATH")
    parser.add_argument("--movielens-small", type=Path, metavar="PATH")
    parser.add_argument("--users", type=int, default=5_000, help="of the simulation")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn in training")
    chosen = parser.parse_args()
    say_what_machine()
    seed = chosen.seed
    if chosen.movielens_100k:
        data = read_100k(chosen.movielens_100k)
        compare("MovieLens-100k, each user's last fifth", data, [split_per_user(data.scores)], seed)
        compare("MovieLens-100k, global cuts", data, global_splits(data.scores, OUTER), seed)
    if chosen.movielens_small:
        data = read_small(chosen.movielens_small)
        compare(
            "MovieLens small, each user's last fifth", data, [split_per_user(data.scores)], seed
        )
    data, last = simulated(seed, chosen.users)
    compare("Simulated product, the last week", data, [last], seed)


def compare(title: str, data: Feedback, splits: Sequence[TimeSplit], seed: int) -> None:
    """Measure every source, the ensemble and the ranker over them, and print a table."""
    results = Results()
    users, items = (data.scores[name].n_unique() for name in (USER_ID, ITEM_ID))
    able = within_reach(SOURCES, users, items)
    for split in splits:
        inner = inner_splits(split, data)
        parts = [fit(each, data, able, seed) for each in inner]
        libraries = [library(p.models, s) for p, s in zip(parts, inner, strict=True)]
        weights = select(libraries).weights
        examples = joined(
            examples_of(s, with_ensemble(p, weights), p.known)
            for p, s in zip(parts, inner, strict=True)
        )
        ranker, how = fit_ranker(examples, [*(source.name for source in able), ENSEMBLE], seed=seed)
        results.errors.append(how.calibration_error)
        now = fit(split, data, able, seed)
        sources = with_ensemble(now, weights)
        for name, source in sources.items():
            results.add(name, evaluate(source, split))
        results.add(FOLLOWS, evaluate(now.known.sequences, split))
        results.add("ranker", evaluate(ranked_at(split, sources, now.known, ranker), split))
    report(title, results, seed)
    time_requests(split, sources, now.known, ranker)
    print(f"{how.parameters}, {how.rate:.2%} of the candidates right\n", flush=True)


def report(title: str, results: Results, seed: int) -> None:
    """Print the table of one data set."""
    users = len(results.means("ranker"))
    print(
        f"{title}: {users} users\n{'':<34} {'nDCG@10':>9} {'gain of the ranker, 95 % interval':>38}"
    )
    for name in results.ndcg:
        mean = results.means(name).mean()
        if name == "ranker":
            print(f"{name:<34} {mean:>9.4f}")
            continue
        gain = results.gain("ranker", name, seed)
        print(
            f"{name:<34} {mean:>9.4f} {gain.mean / mean:>+10.1%} {gain.mean:>+9.4f}"
            f" ({gain.low:+.4f} to {gain.high:+.4f})"
        )
    print(f"expected calibration error {np.mean(results.errors):.4f}", flush=True)


def time_requests(
    split: TimeSplit, sources: Mapping[str, Scorer], known: History, ranker: Ranker
) -> None:
    """Print how long 200 candidates take, from their scores to the ranked list."""
    instants = instants_of(split)
    seen = pair_matrix(split.train, list(instants), known.item_ids)
    asked = list(candidates_of(sources, instants, seen))
    taken = []
    for number in range(REQUESTS):
        candidates = asked[number % len(asked)]
        started = time.thread_time_ns(), time.perf_counter_ns()
        ranker.rank(known, candidates)
        taken.append((time.thread_time_ns() - started[0], time.perf_counter_ns() - started[1]))
    (cpu, wall), (cpu_99, wall_99) = np.quantile(np.array(taken) / 1e6, [0.5, 0.99], axis=0)
    most = max(len(candidates.items) for candidates in asked)
    print(
        f"ranking up to {most} candidates, one thread: median {wall:.2f} ms, p99 {wall_99:.2f} ms "
        f"(of its own processor time {cpu:.2f} and {cpu_99:.2f} ms)"
    )


def fit(split: TimeSplit, data: Feedback, able: Sequence[Source], seed: int) -> Fitted:
    """Fit every source on the part before the cut, and take down what was known then."""
    items = data.items.join(split.train, on=ITEM_ID, how="semi")
    part = TrainingInput(split.train, items, pl.DataFrame(schema=USERS_SCHEMA), split.threshold)
    models = {source.name: source.fit(part, seed) for source in able}
    shown = data.shown
    if shown is not None:
        shown = shown.filter(pl.col(SHOWN_AT) <= split.cut)
    known = history(
        split.train,
        items,
        part.preferences.item_ids,
        shown=shown,
        threshold=split.threshold,
    )
    return Fitted(models, known)


def with_ensemble(fitted: Fitted, weights: Mapping[str, float]) -> dict[str, Scorer]:
    """Return the sources and their weighted sum beside them."""
    kinds = {source.name: source.kind for source in SOURCES}
    members = tuple(
        Member(name, kinds[name], weight, fitted.models[name]) for name, weight in weights.items()
    )
    return {**fitted.models, ENSEMBLE: Ensemble(members)}


def inner_splits(split: TimeSplit, data: Feedback) -> list[TimeSplit]:
    """Return splits of the training part: of the same kind as the outer one."""
    if data.events is not None and split.cut is not None:
        ends = [split.cut - timedelta(days=days) for days in DAYS_BEFORE]
        return [simulated_split(data.events, end - timedelta(days=7), end) for end in ends]
    if split.cut is None:
        return [split_per_user(split.train)]
    return global_splits(split.train, INNER)


def global_splits(scores: pl.DataFrame, shares: Sequence[float]) -> list[TimeSplit]:
    """Return splits at several instants, each measured until the next."""
    cuts = [choose_cut(scores[LAST_FEEDBACK_AT], share) for share in shares]
    ends = [*cuts[1:], scores[LAST_FEEDBACK_AT].max()]
    return [
        split_at(
            scores.filter(pl.col(LAST_FEEDBACK_AT) <= cut),
            scores.filter(pl.col(LAST_FEEDBACK_AT) <= end),
            cut,
        )
        for cut, end in zip(cuts, ends, strict=True)
    ]


def read_100k(path: Path) -> Feedback:
    """Return MovieLens-100k; one star is 0, five are 1."""
    has_header = path.suffix == ".inter"
    names = ["user", "item", "stars", "seconds"]
    ratings = pl.read_csv(path, separator="\t", has_header=has_header, new_columns=names)
    items = pl.DataFrame(schema=ITEMS_SCHEMA)
    described = path.with_suffix(".item")
    if has_header and described.exists():
        table = pl.read_csv(
            described,
            separator="\t",
            new_columns=["item", "title", "year", "class"],
            infer_schema=False,
        )
        items = table.select(
            pl.col("item").alias(ITEM_ID),
            pl.col("title").alias(TITLE),
            pl.col("class").str.split(" ").alias(CATEGORIES),
        )
    return Feedback(as_scores(ratings, (pl.col("stars") - 1) / 4), items)


def read_small(path: Path) -> Feedback:
    """Return MovieLens latest-small; half a star is 0, five are 1."""
    names = ["user", "item", "stars", "seconds"]
    ratings = pl.read_csv(path / "ratings.csv", new_columns=names)
    items = pl.read_csv(path / "movies.csv").select(
        pl.col("movieId").cast(pl.String).alias(ITEM_ID),
        pl.col("title").alias(TITLE),
        pl.col("genres").str.split("|").alias(CATEGORIES),
    )
    return Feedback(as_scores(ratings, (pl.col("stars") - 0.5) / 4.5), items)


def as_scores(ratings: pl.DataFrame, score: pl.Expr) -> pl.DataFrame:
    """Return ratings as a scores frame."""
    return ratings.select(
        pl.col("user").cast(pl.String).alias(USER_ID),
        pl.col("item").cast(pl.String).alias(ITEM_ID),
        score.alias(FEEDBACK_SCORE),
        pl.lit(1.0).alias(CONFIDENCE),
        pl.from_epoch(pl.col("seconds").cast(pl.Int64))
        .cast(SCORES_SCHEMA[LAST_FEEDBACK_AT])
        .alias(LAST_FEEDBACK_AT),
    )


def simulated(seed: int, users: int) -> tuple[Feedback, TimeSplit]:
    """Return four weeks of the simulated product, and its split before the last week."""
    simulation = simulate(SimulationParameters(first_day=date(2026, 1, 5), users=users, seed=seed))
    events = pl.DataFrame(
        [event for line in simulation.lines["line"] if (event := _event(line)) is not None],
        schema={
            "event_id": pl.String, "type": pl.String, USER_ID: pl.String, ITEM_ID: pl.String,
            "list": pl.String, "at": pl.Datetime("us", "UTC"),
        },
        orient="row",
    ).unique("event_id", keep="first", maintain_order=True)  # fmt: skip
    shown = events.filter(pl.col("type") == "item_impression")
    clicked = events.filter(pl.col("type") == "item_clicked").select("list", ITEM_ID).unique()
    shown = shown.join(
        clicked.with_columns(pl.lit(value=True).alias(IS_CLICKED)), on=["list", ITEM_ID], how="left"
    ).select(
        USER_ID, ITEM_ID, pl.col("at").alias(SHOWN_AT), pl.col(IS_CLICKED).fill_null(value=False)
    )
    items = pl.DataFrame(
        [(item.item_id, item.title, [item.category]) for item in catalogue()],
        schema=ITEMS_SCHEMA,
        orient="row",
    )
    end = simulation.parameters.end
    data = Feedback(scores_until(events, end), items, shown, events)
    return data, simulated_split(events, end - timedelta(days=7), end)


def simulated_split(events: pl.DataFrame, cut: datetime, end: datetime) -> TimeSplit:
    """Return the split at an instant, both sides as they were known then."""
    return split_at(scores_until(events, cut), scores_until(events, end), cut)


def scores_until(events: pl.DataFrame, end: datetime) -> pl.DataFrame:
    """Return what the strongest event of each pair said, and when the last was."""
    said = events.filter((pl.col("at") <= end) & pl.col("type").is_in(list(SAYS)))
    said = said.with_columns(pl.col("type").replace_strict(SAYS).alias("says"))
    return said.group_by(USER_ID, ITEM_ID).agg(
        pl.col("says").max().alias(FEEDBACK_SCORE),
        pl.lit(1.0).alias(CONFIDENCE),
        pl.col("at").max().alias(LAST_FEEDBACK_AT),
    )


def _event(line: str) -> tuple[object, ...] | None:
    """Return what the benchmark needs of an event; None of one that breaks the contract."""
    try:
        event = json.loads(line)
        at = datetime.fromisoformat(event["received_at"]).astimezone(UTC)
        if event["event_type"] not in {*SAYS, "item_impression"}:
            return None
        names = ("event_id", "event_type", "user_id", "item_id")
        return (*(event[name] for name in names), event.get("recommendation_id"), at)
    except (ValueError, KeyError):
        return None


if __name__ == "__main__":
    main()
