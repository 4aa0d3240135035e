"""What each candidate source is worth alone, and their weighted sum, with and without sequences.

    python benchmarks/source_library.py [--movielens-100k PATH] [--movielens-small PATH]
        [--users 5000] [--seed 1]

On the last week of the platform's own simulation and, where their path is given, on each user's
last fifth of MovieLens-100k and of MovieLens latest-small, and on a quarter of MovieLens-100k that
is drawn at random as recommendations.py draws it (the files are those of ranker.py). The library is
that of every training; the weights of a sum are chosen on splits of the training part, of which the
last week and the quarter have three. The peers are popularity and LightFM alone, and the library
without the two sources that learn from the order of a user's feedback. There is no ranker here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl
from machine import say_what_machine
from ranker import Feedback, inner_splits, read_100k, read_small, simulated
from recommendations import (
    SEED_OF_THE_SPLIT,
    SEEDS_OF_THE_INNER_SPLITS,
    read_ratings,
    stratified_split,
)

from feedback_platform.learning.columns import ITEM_ID, USER_ID
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.evaluation import difference, evaluate
from feedback_platform.learning.selection import library, select
from feedback_platform.learning.sources import (
    DEFAULT_SOURCES,
    Model,
    Source,
    TrainingInput,
    within_reach,
)
from feedback_platform.learning.training_data import USERS_SCHEMA, TimeSplit, split_per_user

SEQUENCES: Final = "sequence-"


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--movielens-100k", type=Path, metavar="PATH")
    parser.add_argument("--movielens-small", type=Path, metavar="PATH")
    parser.add_argument("--users", type=int, default=5_000, help="of the simulation")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn in training")
    chosen = parser.parse_args()
    say_what_machine()
    if chosen.movielens_100k:
        data = read_100k(chosen.movielens_100k)
        split = split_per_user(data.scores)
        report("MovieLens-100k, last fifths", data, split, inner_splits(split, data), chosen.seed)
        split = stratified_split(read_ratings(chosen.movielens_100k), ITEM_ID, SEED_OF_THE_SPLIT)
        inner = [stratified_split(split.train, ITEM_ID, at) for at in SEEDS_OF_THE_INNER_SPLITS]
        report("MovieLens-100k, a quarter at random", data, split, inner, chosen.seed)
    if chosen.movielens_small:
        data = read_small(chosen.movielens_small)
        split = split_per_user(data.scores)
        report("MovieLens small, last fifths", data, split, inner_splits(split, data), chosen.seed)
    data, split = simulated(chosen.seed, chosen.users)
    inner = inner_splits(split, data)
    report("Simulated product, the last week", data, split, inner, chosen.seed)


def report(
    title: str, data: Feedback, split: TimeSplit, inner: Sequence[TimeSplit], seed: int
) -> None:
    """Choose weights on the inner splits, fit on the training part, and print what comes of it."""
    users, items = (data.scores[name].n_unique() for name in (USER_ID, ITEM_ID))
    able = within_reach(DEFAULT_SOURCES, users, items)
    parts = [fitted(able, each, data, seed) for each in inner]
    models = fitted(able, split, data, seed)
    print(f"{title}: {users:,} users, {items:,} items; nDCG@10")
    for name, model in models.items():
        print(f"  {name:<28} {evaluate(model, split).mean('ndcg'):.4f}")
    found = {}
    without = [name for name in models if not name.startswith(SEQUENCES)]
    for title_of_sum, names in (("sum without sequences", without), ("sum of all", list(models))):
        libraries = [
            library({name: part[name] for name in names}, each)
            for part, each in zip(parts, inner, strict=True)
        ]
        weights = select(libraries).weights
        kinds = {source.name: source.kind for source in able}
        members = (Member(name, kinds[name], w, models[name]) for name, w in weights.items())
        found[title_of_sum] = evaluate(Ensemble(tuple(members)), split)
        told = ", ".join(f"{weight:.2f} {name}" for name, weight in weights.items())
        print(f"  {title_of_sum:<28} {found[title_of_sum].mean('ndcg'):.4f}  {told}")
    gain = difference(found["sum of all"], found["sum without sequences"], seed=seed)
    print(
        f"  sequences add {gain.mean:+.4f} (95 % interval {gain.low:+.4f} to {gain.high:+.4f}) "
        f"over {len(found['sum of all'].user_ids):,} users\n",
        flush=True,
    )


def fitted(
    sources: Sequence[Source], split: TimeSplit, data: Feedback, seed: int
) -> dict[str, Model]:
    """Fit every source on the part before the cut."""
    items = data.items.join(split.train, on=ITEM_ID, how="semi")
    part = TrainingInput(split.train, items, pl.DataFrame(schema=USERS_SCHEMA), split.threshold)
    return {source.name: source.fit(part, seed) for source in sources}


if __name__ == "__main__":
    main()
