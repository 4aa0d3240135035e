"""Segments keep their numbers while the population changes, retraining after retraining."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.learned_tables import learn_segments, learned_tables
from feedback_platform.learning.segment_clustering import KMEANS, WARD
from feedback_platform.learning.training import SEGMENTS
from feedback_platform_tests.learning.drifting_population import DriftingPopulation

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Nights:
    """A lake in which segments are learned every night, each time with another seed."""

    def __init__(self, directory: Path) -> None:
        self.lake = Lake(directory.as_uri())
        # Which segment goes on is decided in the same way whatever found it; Ward is the fastest.
        self.algorithm = WARD
        self.passed = 0

    def segments(self, population: DriftingPopulation) -> Mapping[str, int]:
        """Learn, and return the segment of most users of each group, who have to be 90 %."""
        self.passed += 1
        learn_segments(
            self.lake,
            population.affinities(),
            pl.DataFrame(schema={"user_id": pl.String}),
            now=NOON + timedelta(days=self.passed),
            trigger="schedule",
            algorithm=self.algorithm,
            seed=self.passed,
        )
        table = learned_tables(self.lake)["ml", "user_segments"]
        counted = (
            population.truth()
            .join(table, on="user_id", validate="1:1")
            .group_by("group", "segment_id")
            .len()
            .with_columns(share=pl.col("len") / pl.col("len").sum().over("group"))
        )
        most = counted.filter(pl.col("share") >= 0.9)
        assert set(most["group"]) == set(population.users)
        return dict(most.select("group", "segment_id").iter_rows())

    def names(self) -> dict[int, str]:
        """The name of each segment."""
        profiles = learned_tables(self.lake)["ml", "segment_profiles"]
        return dict(profiles.select("segment_id", "name").iter_rows())


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


# K-means is five times as slow: it takes one step where all users are others.
@pytest.mark.parametrize("algorithm", [pytest.param(KMEANS, marks=pytest.mark.slow), WARD])
def test_segments_keep_their_numbers_over_ten_retrainings_of_a_drifting_population(
    nights: Nights, algorithm: str
) -> None:
    nights.algorithm = algorithm
    population = DriftingPopulation({"one": 90, "two": 70, "three": 50, "four": 40})
    before, first_users = nights.segments(population), population.truth()
    first_tastes = dict(population.favourites)
    assert sorted(before.values()) == [0, 1, 2, 3]

    for _ in range(10):
        population.step(growth={"one": -5, "four": 5})
        assert nights.segments(population) == before

    # By now most users are others, the largest group is the smallest, and each group likes what
    # its neighbour liked at first.
    remaining = population.truth().join(first_users, on="user_id", how="semi")
    assert remaining.height < first_users.height / 4
    assert len(population.users["one"]) < len(population.users["three"])
    assert len(population.users["four"]) > len(population.users["two"])
    assert population.favourites["one"] == pytest.approx(first_tastes["two"])


def test_segments_keep_their_numbers_when_all_users_are_others(nights: Nights) -> None:
    nights.algorithm = KMEANS
    population = DriftingPopulation({"one": 80, "two": 60, "three": 40})
    before = nights.segments(population)

    population.step(turnover=1.0)

    assert nights.segments(population) == before


def test_a_new_group_gets_a_new_number_however_large_it_is(nights: Nights) -> None:
    population = DriftingPopulation({"one": 80, "two": 60})
    before = nights.segments(population)

    population.add("three", 300)

    assert nights.segments(population) == {**before, "three": 2}


def test_a_number_is_not_given_again_after_its_group_has_gone(nights: Nights) -> None:
    population = DriftingPopulation({"one": 80, "two": 60, "three": 40})
    before = nights.segments(population)

    gone = population.users.pop("three")
    rest = {group: before[group] for group in ("one", "two")}
    assert nights.segments(population) == rest

    population.users["three"] = gone
    assert nights.segments(population) == {**rest, "three": 3}


def test_the_larger_part_keeps_the_number_of_a_group_that_splits(nights: Nights) -> None:
    population = DriftingPopulation({"one": 80, "two": 60})
    before = nights.segments(population)

    population.add("part", 0, favourite=3)
    population.users["part"] = [population.users["one"].pop() for _ in range(30)]

    assert nights.segments(population) == {**before, "part": 2}


def test_groups_that_merge_have_the_number_of_the_larger_one(nights: Nights) -> None:
    population = DriftingPopulation({"one": 80, "two": 60, "three": 50})
    before = nights.segments(population)

    population.users["one"] += population.users.pop("three")

    assert nights.segments(population) == {group: before[group] for group in ("one", "two")}


def test_numbers_given_before_a_rollback_are_not_given_again(nights: Nights) -> None:
    population = DriftingPopulation({"one": 80, "two": 60})
    before = nights.segments(population)
    first = champions.champion(nights.lake, SEGMENTS)
    assert first is not None
    population.add("three", 50)
    assert nights.segments(population) == {**before, "three": 2}

    champions.promote(nights.lake, SEGMENTS, first.version, at=NOON, reason="rolled back")
    del population.users["three"]
    population.add("four", 50, favourite=4)

    assert nights.segments(population) == {**before, "four": 3}


def test_segments_keep_their_names_as_long_as_their_character(nights: Nights) -> None:
    # Each likes two categories almost alike; which of them more is a matter of the day.
    population = DriftingPopulation({"one": 80, "two": 60})
    population.favourites = {"one": 0.45, "two": 2.45}
    before = nights.segments(population)
    names = nights.names()
    assert names == {
        before["one"]: "Alerts & Exports",
        before["two"]: "Imports & Reports",
    }

    population.favourites = {"one": 0.55, "two": 2.55}
    nights.segments(population)
    assert nights.names() == names

    population.favourites["one"] = 1.0
    nights.segments(population)
    assert nights.names() == {**names, before["one"]: "Exports"}


def test_segments_keep_their_numbers_when_another_algorithm_is_chosen(nights: Nights) -> None:
    nights.algorithm = KMEANS
    population = DriftingPopulation({"one": 80, "two": 60, "three": 40})
    before = nights.segments(population)

    nights.algorithm = WARD
    population.step()

    assert nights.segments(population) == before
