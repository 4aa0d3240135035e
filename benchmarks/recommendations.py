"""How good the default pipeline's lists are on MovieLens-100k, beside published figures.

    python benchmarks/recommendations.py --movielens-100k PATH [--seed 1]

PATH is the data set's `u.data`, or RecBole's `ml-100k.inter`: the same lines in the same order,
under a header. It may not be redistributed, so it is no part of this repository.

The protocol is that of Microsoft Recommenders' comparison: three quarters of each item's ratings
are for training, drawn with the seed 42; every test rating is relevant, whatever its value; what
a user has rated in training is not listed; k = 10. Their SAR is deterministic: unless its row
comes out as published, to six decimals, the harness is not theirs and the run stops.

Every choice (sources and weights, of the library that every training chooses from) is made on
splits of the training ratings alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from machine import say_what_machine
from numpy.typing import NDArray

from feedback_platform.learning.columns import (
    CONFIDENCE,
    FEEDBACK_SCORE,
    ITEM_ID,
    LAST_FEEDBACK_AT,
    USER_ID,
)
from feedback_platform.learning.ensemble import fit_ensemble
from feedback_platform.learning.evaluation import Evaluation, Metric, difference, evaluate
from feedback_platform.learning.factorisation import FactorisationParameters
from feedback_platform.learning.ranking import PairMatrix, Scorer, Scores, pair_matrix
from feedback_platform.learning.selection import choose
from feedback_platform.learning.sources import (
    DEFAULT_SOURCES,
    Source,
    TrainingInput,
    als,
    item_ease,
    lightfm,
    popularity,
)
from feedback_platform.learning.training_data import (
    ITEMS_SCHEMA,
    SCORES_SCHEMA,
    USERS_SCHEMA,
    TimeSplit,
)

RATINGS: Final = 100_000
STARS: Final = 5
TRAIN_SHARE: Final = 0.75
SEED_OF_THE_SPLIT: Final = 42
SEEDS_OF_THE_INNER_SPLITS: Final = (7, 8, 9)
SIZES_OF_THE_SPLIT: Final = (75_066, 24_934)
HALF_LIFE: Final = timedelta(days=30)
# Some of the published figures are rounded, others cut.
SIXTH_DECIMAL: Final = 1e-6

METRICS: Final[tuple[Metric, ...]] = ("ndcg", "average_precision", "precision", "recall")
# Microsoft Recommenders, examples/06_benchmarks/movielens.ipynb. SAR's row of that table is of an
# older release; the present one gives .393818 (tests/functional/examples).
PUBLISHED: Final = {
    "SAR, older release": (0.388321, 0.113028, 0.333828, 0.183179),
    "NCF": (0.398754, 0.108609, 0.349735, 0.181576),
    "LightGCN": (0.417629, 0.121633, 0.360976, 0.196052),
    "BPR": (0.441997, 0.132478, 0.388229, 0.212522),
    "BiVAE": (0.475077, 0.146126, 0.411771, 0.219145),
}
# The same, tests/functional/examples/test_notebooks_python.py.
PUBLISHED_SAR_BY_ITEM: Final = (0.393818,)
# The same, examples/00_quick_start/sar_movielens.ipynb: stratified by user.
PUBLISHED_SAR_BY_USER: Final = (0.379533, 0.106959, 0.331071, 0.176837)


@dataclass(frozen=True, eq=False)
class Sar:
    """Smart Adaptive Recommendations, as Microsoft Recommenders defines it.

    A user's affinity to an item is the rating, halved for every half-life between it and the last
    training rating; the score is affinity times the Jaccard similarity of the items' users.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    affinities: PairMatrix
    similarities: NDArray[np.float64]

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the score of every item for each user."""
        places = {user_id: row for row, user_id in enumerate(self.user_ids)}
        rows = [places[user_id] for user_id in user_ids]
        return np.asarray(self.affinities[rows] @ self.similarities, dtype=np.float32)


def fit_sar(train: pl.DataFrame) -> Sar:
    """Fit SAR on a scores frame."""
    user_ids = train[USER_ID].unique().sort().to_list()
    item_ids = train[ITEM_ID].unique().sort().to_list()
    age = (pl.col(LAST_FEEDBACK_AT).max() - pl.col(LAST_FEEDBACK_AT)) / HALF_LIFE
    decayed = train.with_columns((pl.col(FEEDBACK_SCORE) * pl.lit(0.5) ** age).alias("affinity"))
    affinities = pair_matrix(decayed, user_ids, item_ids, values="affinity")
    pairs = pair_matrix(train, user_ids, item_ids)
    together = (pairs.T @ pairs).toarray().astype(np.float64)
    each = together.diagonal()
    similarities = together / (each[:, None] + each[None, :] - together)
    return Sar(tuple(user_ids), tuple(item_ids), affinities, similarities)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--movielens-100k", type=Path, required=True, metavar="PATH")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn in training")
    chosen = parser.parse_args()
    say_what_machine()
    scores = read_ratings(chosen.movielens_100k)
    by_user = stratified_split(scores, USER_ID, SEED_OF_THE_SPLIT)
    split = stratified_split(scores, ITEM_ID, SEED_OF_THE_SPLIT)
    if (split.train.height, split.test.height) != SIZES_OF_THE_SPLIT:
        raise SystemExit(
            f"The split has {split.train.height} and {split.test.height} ratings, not "
            f"{SIZES_OF_THE_SPLIT}: these are other ratings than MovieLens-100k's."
        )
    print(f"{'':<34} {'nDCG@10':>9} {'MAP':>9} {'P@10':>9} {'R@10':>9} {'seconds':>8}")
    for name, row in PUBLISHED.items():
        _print_row(f"published: {name}", row)
    _print_row("published: SAR by user", PUBLISHED_SAR_BY_USER)
    _print_row("published: SAR", PUBLISHED_SAR_BY_ITEM)
    _reproduce("SAR by user", by_user, PUBLISHED_SAR_BY_USER)
    _reproduce("SAR", split, PUBLISHED_SAR_BY_ITEM)
    data = _input(split.train, split.threshold)
    for source in BESIDE:
        _measure(source.name, split, partial(source.fit, data, chosen.seed))
    _default_pipeline(data, split, chosen.seed)


BESIDE: Final[tuple[Source, ...]] = (
    popularity(),
    lightfm("warp", FactorisationParameters()),
    als(48, 40, 5),
    item_ease(300),
)


def _default_pipeline(data: TrainingInput, split: TimeSplit, seed: int) -> None:
    inner = [stratified_split(data.scores, ITEM_ID, drawn) for drawn in SEEDS_OF_THE_INNER_SPLITS]
    started = time.perf_counter()
    selection = choose(data, inner, DEFAULT_SOURCES, seed=seed)
    ensemble = fit_ensemble(data, DEFAULT_SOURCES, selection.weights, seed=seed)
    result = evaluate(ensemble, split)
    _print_row("default pipeline", _means(result), time.perf_counter() - started)
    best = max(selection.alone, key=lambda name: selection.alone[name])
    print("\nChosen on the inner splits: ", end="")
    print(", ".join(f"{weight:.2f} {name}" for name, weight in selection.weights.items()))
    print(f"Inner nDCG@10: {selection.ndcg:.4f}, of {best} alone {selection.alone[best]:.4f}.")
    print(f"Items of the catalogue in anybody's list: {result.coverage:.1%}.")
    ease = evaluate(item_ease(300).fit(data, seed), split)
    gain = difference(result, ease, seed=seed)
    print(
        f"Gain in nDCG@10 over item-ease-300: {gain.mean:.4f} "
        f"(95 % interval {gain.low:.4f} to {gain.high:.4f})."
    )


def read_ratings(path: Path) -> pl.DataFrame:
    """Return the ratings as a scores frame, in the order of the file."""
    if not path.is_file():
        raise SystemExit(
            f"There is no file {path}. It should be MovieLens-100k's u.data, or RecBole's "
            "ml-100k.inter."
        )
    with path.open(encoding="utf-8", errors="replace") as file:
        has_header = file.readline().startswith("user_id")
    try:
        ratings = pl.read_csv(
            path,
            separator="\t",
            has_header=has_header,
            new_columns=["user", "item", "stars", "seconds"],
            schema_overrides=[pl.String, pl.String, pl.Float64, pl.Float64],
        )
    except (pl.exceptions.PolarsError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise SystemExit(f"{path} is not MovieLens-100k: {reason}") from error
    if ratings.shape != (RATINGS, 4) or ratings.null_count().sum_horizontal().item():
        raise SystemExit(
            f"{path} has {ratings.height} rows of {ratings.width} columns, or gaps; MovieLens-100k "
            f"has {RATINGS} ratings of user, item, stars and seconds."
        )
    return ratings.select(
        pl.col("user").alias(USER_ID),
        pl.col("item").alias(ITEM_ID),
        (pl.col("stars") / STARS).alias(FEEDBACK_SCORE),
        pl.lit(1.0).alias(CONFIDENCE),
        pl.from_epoch(pl.col("seconds").cast(pl.Int64))
        .cast(SCORES_SCHEMA[LAST_FEEDBACK_AT])
        .alias(LAST_FEEDBACK_AT),
    )


def stratified_split(scores: pl.DataFrame, by: str, seed: int) -> TimeSplit:
    """Draw three quarters of each user's or item's rows for training.

    Each row gets a uniform number of NumPy's legacy generator, in the order of the rows; the
    smallest numbers of a group, as many as three quarters of it rounded half to even, are for
    training. Every rating is relevant.
    """
    # The legacy generator's stream is part of the protocol.
    drawn = np.random.RandomState(seed).rand(scores.height)
    place = pl.col("drawn").rank("ordinal").over(by)
    size = (pl.len().over(by) * TRAIN_SHARE).round(mode="half_to_even")
    is_train = scores.with_columns(pl.Series("drawn", drawn)).select(place <= size).to_series()
    return TimeSplit(
        kind="per_user",
        cut=None,
        train=scores.filter(is_train),
        test=scores.filter(~is_train),
        threshold=1 / STARS,
    )


def _input(train: pl.DataFrame, threshold: float) -> TrainingInput:
    return TrainingInput(
        train, pl.DataFrame(schema=ITEMS_SCHEMA), pl.DataFrame(schema=USERS_SCHEMA), threshold
    )


def _reproduce(name: str, split: TimeSplit, published: Sequence[float]) -> None:
    found = _means(_measure(name, split, lambda: fit_sar(split.train)))
    pairs = zip(found, published, strict=False)
    if any(abs(value - figure) >= SIXTH_DECIMAL for value, figure in pairs):
        raise SystemExit(
            f"{name} was published with {', '.join(map(str, published))}. Either the lines of the "
            "file are not in their original order, or the harness is broken."
        )


def _measure(name: str, split: TimeSplit, fit: Callable[[], Scorer]) -> Evaluation:
    started = time.perf_counter()
    result = evaluate(fit(), split)
    _print_row(name, _means(result), time.perf_counter() - started)
    return result


def _means(result: Evaluation) -> tuple[float, ...]:
    return tuple(result.mean(metric) for metric in METRICS)


def _print_row(name: str, values: Sequence[float], seconds: float | None = None) -> None:
    cells = [f"{value:>9.6f}" for value in values] + [f"{'':>9}"] * (len(METRICS) - len(values))
    took = "" if seconds is None else f"{seconds:>8.1f}"
    print(f"{name:<34} {' '.join(cells)} {took}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
