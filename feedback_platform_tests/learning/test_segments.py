from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import segment_profiles
from feedback_platform.learning.segment_clustering import KMEANS, WARD
from feedback_platform.learning.segments import STRONGEST, adjusted_rand_index, segment_users
from feedback_platform_tests.learning.affinities import (
    AFFINITIES,
    TRUTH,
    affinities_of,
    planted,
    segmented,
)
from feedback_platform_tests.seeds import examples


def test_planted_groups_are_recovered_and_numbered_by_size() -> None:
    found = segmented(KMEANS)
    table = segment_profiles.assignments(found, "v1")
    assert found.names == ("Alerts", "Imports", "Reports")
    assert adjusted_rand_index(table, TRUTH) > 0.95
    assert found.strengths[3] > 0.95
    assert all(found.strengths[k] < 0.8 for k in range(4, 11))
    assert list(found.strengths) == list(range(2, 11))


def test_ward_finds_the_planted_groups_too() -> None:
    found = segmented(WARD)
    table = segment_profiles.assignments(found, "v1")
    assert found.names == ("Alerts", "Imports", "Reports")
    assert adjusted_rand_index(table, TRUTH) > 0.9
    assert table["algorithm"].unique().to_list() == ["ward"]
    assert segment_profiles.profiles(found, "v1")["algorithm"].unique().to_list() == ["ward"]


def test_whoever_finds_more_groups_again_groups_the_users() -> None:
    either = [segmented(name) for name in (KMEANS, WARD)]
    chosen = segment_users(AFFINITIES, seed=1, algorithm=STRONGEST)
    assert [len(each.names) for each in either] == [3, 3]
    best = max(either, key=lambda each: each.strengths[3])
    assert (chosen.algorithm, chosen.strengths) == (best.algorithm, best.strengths)


@pytest.mark.parametrize("algorithm", [KMEANS, WARD])
def test_every_user_is_in_the_segment_with_the_nearest_centre(algorithm: str) -> None:
    found = segmented(algorithm)
    labels, distances = found.model.assign(found.matrix)
    assert (labels == found.labels).all()
    assert distances == pytest.approx(found.distances, abs=1e-6)


@pytest.mark.parametrize("algorithm", [KMEANS, WARD])
def test_clear_groups_are_more_stable_than_groups_that_are_made_up(algorithm: str) -> None:
    clear = segmented(algorithm)
    shares = np.random.default_rng(1).dirichlet(np.full(4, 5.0), 190).tolist()
    made_up = segment_users(
        affinities_of({f"u{n:03}": row for n, row in enumerate(shares)}),
        seed=1,
        algorithm=algorithm,
    )
    assert clear.stability is not None
    assert made_up.stability is not None
    assert clear.stability.adjusted_rand > 0.9
    assert made_up.stability.adjusted_rand < 0.75
    stability = segment_profiles.profiles(clear, "v")["stability"].to_list()
    assert stability == list(clear.stability.segments)
    assert min(stability) > 0.85


@pytest.mark.parametrize("algorithm", [KMEANS, WARD])
def test_the_order_of_rows_changes_nothing(algorithm: str) -> None:
    mixed_rows = AFFINITIES.sample(fraction=1, shuffle=True, seed=5)
    straight = segmented(algorithm)
    mixed = segment_users(mixed_rows, seed=1, algorithm=algorithm)
    assert segment_profiles.assignments(straight, "v").equals(
        segment_profiles.assignments(mixed, "v")
    )
    assert segment_profiles.profiles(straight, "v").equals(segment_profiles.profiles(mixed, "v"))
    assert straight.model.to_bytes() == mixed.model.to_bytes()


def test_the_means_of_large_segments_are_the_same_to_the_last_digit_each_time() -> None:
    affinities, truth = planted(sizes=(900, 700, 500))
    found = segment_users(affinities, seed=1)
    draws = np.random.default_rng(2).random((truth.height, 8))
    features = truth.select("user_id").hstack(pl.DataFrame(draws))

    profiles = [segment_profiles.profiles(found, "v", features) for _ in range(100)]

    assert all(profile.equals(profiles[0]) for profile in profiles)


def test_another_seed_gives_clear_groups_the_same_numbers() -> None:
    other = segment_users(AFFINITIES, seed=2)
    assert other.labels.tolist() == segmented(KMEANS).labels.tolist()


def test_equally_large_groups_are_numbered_by_name() -> None:
    found = segment_users(
        affinities_of(
            {f"w{n}": [0, 0, 0.1, 0.9 - n / 100] for n in range(5)}
            | {f"x{n}": [0.9 - n / 100, 0.1, 0, 0] for n in range(5)}
        ),
        seed=1,
    )
    assert found.names == ("Alerts", "Workflows")


def test_equal_or_few_users_are_one_segment() -> None:
    for users in ({"a": [1.0, 0, 0, 0]}, {f"u{n}": [0.5, 0.5, 0, 0] for n in range(30)}):
        found = segment_users(affinities_of(users), seed=1)
        assert found.names == ("Mixed interests",)
        assert found.silhouette is None
        (profile,) = segment_profiles.profiles(found, "v").to_dicts()
        assert (profile["silhouette"], profile["stability"]) == (None, None)


def test_profiles_show_shares_lifts_and_feature_means() -> None:
    # Means by hand: 0.70 to 0.90 of twenty-one users is 0.80, 0.80 to 1.00 of eleven is 0.90.
    alerts_users = {f"a{i:02}": [0.70 + i / 100, 0.30 - i / 100, 0, 0] for i in range(21)}
    reports_users = {f"r{i:02}": [0, 0, 0.80 + i / 50, 0.20 - i / 50] for i in range(11)}
    found = segment_users(affinities_of(alerts_users | reports_users), seed=1)
    features = pl.DataFrame(
        {
            "user_id": ["a00", "a01", "r00"],
            "sessions": [1, 3, 8],
            "is_paying": [True, False, True],
            "x": "t",
        }
    )
    profiles = segment_profiles.profiles(found, "v1", features)
    assert profiles.schema == pl.Schema(segment_profiles.PROFILES_SCHEMA)
    first, second = profiles.rows(named=True)
    assert (first["name"], first["users"], first["algorithm"]) == ("Alerts", 21, "k-means")
    assert second["name"] == "Reports"
    alerts = first["top_preferences"][0]
    assert alerts["category"] == "alerts"
    assert alerts["share"] == pytest.approx(0.8)
    assert alerts["lift"] == pytest.approx(0.8 / (0.8 * 21 / 32))
    means = {entry["feature"]: entry["mean"] for entry in second["features"]}
    assert means["sessions"] == 8
    assert means["is_paying"] == 1
    entropies = [
        -sum(share * np.log(share) for share in (0.80 + i / 50, 0.20 - i / 50) if share > 1e-9)
        for i in range(11)
    ]
    assert means["effective_categories"] == pytest.approx(np.mean(np.exp(entropies)))
    assert set(means) == {"effective_categories", "sessions", "is_paying"}


def test_assignments_have_their_schema() -> None:
    table = segment_profiles.assignments(segmented(KMEANS), "v1")
    assert table.schema == pl.Schema(segment_profiles.ASSIGNMENTS_SCHEMA)
    assert table["user_id"].is_sorted()


def test_features_without_users_are_refused() -> None:
    found = segmented(KMEANS)
    with pytest.raises(InvalidInputError, match="user_id"):
        segment_profiles.profiles(found, "v1", pl.DataFrame({"x": [1]}))


@given(
    users=st.dictionaries(
        st.text("abc", min_size=1, max_size=3),
        st.lists(st.integers(0, 3), min_size=4, max_size=4).filter(any),
        min_size=1,
        max_size=12,
    )
)
@examples(10)
def test_any_users_get_segments_with_distinct_names_by_falling_size(
    users: dict[str, list[float]],
) -> None:
    found = segment_users(affinities_of(users), seed=1)
    sizes = np.bincount(found.labels, minlength=len(found.names)).tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0
    assert len(set(found.names)) == len(found.names)
