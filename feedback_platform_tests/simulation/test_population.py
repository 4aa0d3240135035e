from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from feedback_platform.simulation import Group, planted_groups
from feedback_platform.simulation.attributes import user_columns
from feedback_platform.simulation.product import catalogue
from feedback_platform_tests.simulation.conftest import Received


def test_the_truth_can_be_had_without_simulating(quiet: Received) -> None:
    assert quiet.simulation.truth.equals(planted_groups(2_000, seed=1))


def test_every_user_has_one_of_four_groups() -> None:
    truth = planted_groups(2_000, seed=1)
    assert truth["user_id"].n_unique() == 2_000
    assert set(truth["group"]) == {group.value for group in Group}
    # The rarest group has a share of 0.2: 400 users, give or take four deviations of 18.
    smallest = truth["group"].value_counts()["count"].min()
    assert isinstance(smallest, int)
    assert 328 < smallest < 472


def test_the_group_of_a_user_does_not_depend_on_how_many_there_are() -> None:
    assert planted_groups(50, seed=3).equals(planted_groups(500, seed=3).head(50))


def test_another_seed_plants_other_groups() -> None:
    assert not planted_groups(500, seed=3).equals(planted_groups(500, seed=4))


def test_the_planted_groups_can_be_found_in_what_users_do(quiet: Received) -> None:
    categories = pl.DataFrame(
        {
            "item_id": [item.item_id for item in catalogue()],
            "category": [item.category for item in catalogue()],
        }
    )
    counts = (
        quiet.events.filter(pl.col("event_type").is_in(["item_viewed", "item_used"]))
        .join(categories, on="item_id")
        .pivot("category", index="user_id", values="event_id", aggregate_function="len")
        .fill_null(0)
    )
    shares = counts.drop("user_id").to_numpy().astype(float)
    shares /= shares.sum(axis=1, keepdims=True)
    found = KMeans(4, n_init=5, random_state=0).fit_predict(shares)
    planted = counts.select("user_id").join(
        quiet.simulation.truth, on="user_id", maintain_order="left"
    )["group"]
    assert adjusted_rand_score(planted.to_list(), found) >= 0.9


def test_what_users_say_of_themselves_hardly_tells_their_group() -> None:
    groups = np.repeat(np.arange(4), 10_000)
    said = user_columns(groups, np.random.default_rng(1)).with_columns(pl.Series("g", groups))
    counts = said.group_by("properties").agg(
        (pl.col("g") == group).sum().alias(str(group)) for group in range(4)
    )
    right = counts.select(pl.max_horizontal("0", "1", "2", "3")).to_series().sum()
    # Guessing blindly is right for one in four.
    assert 0.25 < right / 40_000 < 0.35
