"""LightFM's own example on MovieLens-100k, through the platform's factorisation.

    python benchmarks/lightfm_example.py --movielens-100k U_DATA --test UA_TEST [--seeds 10]

U_DATA is the data set's `u.data` (or RecBole's `ml-100k.inter`), UA_TEST its `ua.test`: ten ratings
of each user. All other ratings are for training. Neither may be redistributed, so they are no part
of this repository.

The protocol is that of LightFM's "implicit feedback" example: every rating is positive, whatever
its value; WARP with ten components, ten epochs and a learning rate of .05; precision at 10 and area
under the curve over all items, those of the training included, mean over users. Its figures hang
on the random beginning, so a mean and a deviation over several are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from machine import say_what_machine
from recommendations import read_ratings

from feedback_platform.learning.columns import FEEDBACK_SCORE, ITEM_ID, USER_ID
from feedback_platform.learning.factorisation import (
    Factorisation,
    FactorisationParameters,
    fit_factorisation,
)
from feedback_platform.learning.ranking import pair_matrix, rank_users
from feedback_platform.learning.training_data import ITEMS_SCHEMA, USERS_SCHEMA

K: Final = 10
TEST_RATINGS: Final = 9_430
EXAMPLE: Final = FactorisationParameters(
    components=10, epochs=10, learning_rate=0.05, max_sampled=10, feature_weight=0
)
# LightFM, examples/movielens/example.ipynb, to the two decimals that it prints.
PUBLISHED: Final = {
    "P@10 train": 0.61,
    "P@10 test": 0.11,
    "AUC train": 0.93,
    "AUC test": 0.90,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--movielens-100k", type=Path, required=True, metavar="U_DATA")
    parser.add_argument("--test", type=Path, required=True, metavar="UA_TEST")
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args()
    say_what_machine()
    ratings = read_ratings(chosen.movielens_100k).with_columns(pl.lit(1.0).alias(FEEDBACK_SCORE))
    test = read_test(chosen.test)
    train = ratings.join(test, on=[USER_ID, ITEM_ID], how="anti")
    if train.height + test.height != ratings.height or test.height != TEST_RATINGS:
        raise SystemExit(f"{chosen.test} is not MovieLens-100k's ua.test: its pairs are others.")
    found = [figures(fitted(ratings, train, seed), train, test) for seed in range(chosen.seeds)]
    print(f"{'':<12}{'published':>10}{'mean':>10}{'deviation':>11}{'lowest':>9}{'highest':>9}")
    for name, published in PUBLISHED.items():
        values = np.array([each[name] for each in found])
        print(
            f"{name:<12}{published:>10.2f}{values.mean():>10.4f}{values.std(ddof=1):>11.4f}"
            f"{values.min():>9.4f}{values.max():>9.4f}"
        )


def read_test(path: Path) -> pl.DataFrame:
    """Return the pairs of the test ratings."""
    if not path.is_file():
        raise SystemExit(f"There is no file {path}. It should be MovieLens-100k's ua.test.")
    rows = pl.read_csv(path, separator="\t", has_header=False, infer_schema=False)
    return rows.select(pl.nth(0).alias(USER_ID), pl.nth(1).alias(ITEM_ID))


def fitted(ratings: pl.DataFrame, train: pl.DataFrame, seed: int) -> Factorisation:
    """Train as the example does; the catalogue is every item that has a rating anywhere."""
    items = ratings.select(ITEM_ID).unique()
    catalogue = pl.concat([pl.DataFrame(schema=ITEMS_SCHEMA), items], how="diagonal")
    catalogue = catalogue.with_columns(pl.col("categories").fill_null([]))
    return fit_factorisation(
        train, catalogue, pl.DataFrame(schema=USERS_SCHEMA), parameters=EXAMPLE, seed=seed
    )


def figures(model: Factorisation, train: pl.DataFrame, test: pl.DataFrame) -> Mapping[str, float]:
    """Return precision at 10 and area under the curve of both parts; nothing is removed."""
    users = model.user_ids
    ranked = rank_users(model, users, None, K)
    scores = model.scores(users)
    places = scores.argsort(axis=1).argsort(axis=1)
    result = {}
    for name, part in (("train", train), ("test", test)):
        is_rated = pair_matrix(part, users, model.item_ids).toarray() > 0
        result[f"P@10 {name}"] = float(np.take_along_axis(is_rated, ranked, axis=1).mean())
        # The share of pairs of a rated and an unrated item that are in order (Mann and Whitney).
        rated = is_rated.sum(axis=1)
        below = (places * is_rated).sum(axis=1) - rated * (rated - 1) / 2
        result[f"AUC {name}"] = float((below / (rated * (scores.shape[1] - rated))).mean())
    return result


if __name__ == "__main__":
    main()
