from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning import segment_profiles
from feedback_platform.learning.segments import (
    SegmentModel,
    adjusted_rand_index,
    segment_users,
    user_matrix,
)

CATEGORIES = ["alerts", "imports", "reports", "workflows"]


def affinities_of(users: dict[str, list[float]]) -> pl.DataFrame:
    rows = [
        (user, category, share)
        for user, shares in users.items()
        for category, share in zip(CATEGORIES, shares, strict=True)
        if share > 0
    ]
    return pl.DataFrame(rows, schema=["user_id", "category", "affinity"], orient="row")


def planted(
    sizes: tuple[int, ...] = (90, 60, 40), seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Groups of users with one favourite category each, and which group each user is from."""
    generator = np.random.default_rng(seed)
    users: dict[str, list[float]] = {}
    groups = []
    for group, size in enumerate(sizes):
        weights = np.ones(4)
        weights[group] = 12
        for shares in generator.dirichlet(weights, size):
            user = f"u{generator.integers(1 << 40):013d}"
            users[user] = shares.tolist()
            groups.append((user, f"group {group}"))
    truth = pl.DataFrame(groups, schema=["user_id", "segment_id"], orient="row")
    return affinities_of(users), truth


AFFINITIES, TRUTH = planted()


def test_planted_groups_are_recovered_and_numbered_by_size() -> None:
    found = segment_users(AFFINITIES, seed=1)
    table = segment_profiles.assignments(found, "v1")
    assert found.names == ("Alerts", "Imports", "Reports")
    assert adjusted_rand_index(table, TRUTH) > 0.95
    assert found.strengths[3] > 0.95
    assert all(found.strengths[k] < 0.8 for k in range(4, 11))
    assert list(found.strengths) == list(range(2, 11))


def test_the_order_of_rows_changes_nothing() -> None:
    straight = segment_users(AFFINITIES, seed=1)
    mixed = segment_users(AFFINITIES.sample(fraction=1, shuffle=True, seed=5), seed=1)
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
    labels = [segment_users(AFFINITIES, seed=seed).labels.tolist() for seed in (1, 2)]
    assert labels[0] == labels[1]


def test_equally_large_groups_are_numbered_by_name() -> None:
    found = segment_users(
        affinities_of(
            {f"w{n}": [0, 0, 0.1, 0.9 - n / 100] for n in range(5)}
            | {f"x{n}": [0.9 - n / 100, 0.1, 0, 0] for n in range(5)}
        ),
        seed=1,
    )
    assert found.names == ("Alerts", "Workflows")


def test_the_stored_model_assigns_users_as_training_did() -> None:
    found = segment_users(AFFINITIES, seed=1)
    model = SegmentModel.from_bytes(found.model.to_bytes())
    labels, distances = model.assign(found.matrix)
    assert (labels == found.labels).all()
    assert distances == pytest.approx(found.distances, abs=1e-6)


def test_a_new_user_with_new_categories_is_assigned_too() -> None:
    found = segment_users(AFFINITIES, seed=1)
    new = pl.DataFrame(
        {
            "user_id": ["n", "n", "o"],
            "category": ["reports", "new", "new"],
            "affinity": [0.8, 0.2, 1],
        }
    )
    labels, distances = found.model.assign(user_matrix(new))
    assert found.names[labels[0]] == "Reports"
    assert distances[1] > 1


def test_a_damaged_segment_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="segment model"):
        SegmentModel.from_bytes(b"nonsense")


def test_users_without_affinities_are_left_out_and_rows_sum_to_1() -> None:
    matrix = user_matrix(
        pl.DataFrame(
            {"user_id": ["a", "a", "b"], "category": ["x", "y", "x"], "affinity": [1, 3, 0]}
        )
    )
    assert matrix.user_ids == ("a",)
    assert matrix.shares.tolist() == [[0.25, 0.75]]


def test_equal_or_few_users_are_one_segment() -> None:
    for users in ({"a": [1.0, 0, 0, 0]}, {f"u{n}": [0.5, 0.5, 0, 0] for n in range(30)}):
        found = segment_users(affinities_of(users), seed=1)
        assert found.names == ("Mixed interests",)
        assert found.silhouette is None
        assert segment_profiles.profiles(found, "v")["silhouette"].to_list() == [None]


def test_malformed_affinities_are_refused() -> None:
    frame = affinities_of({"a": [1.0, 0, 0, 0]})
    with pytest.raises(InvalidInputError, match="no column category"):
        user_matrix(frame.drop("category"))
    with pytest.raises(InvalidInputError, match="negative"):
        user_matrix(frame.with_columns(affinity=-1.0))
    with pytest.raises(InvalidInputError, match="more than once"):
        user_matrix(pl.concat([frame, frame]))
    with pytest.raises(NothingToLearnError):
        user_matrix(frame.head(0))


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
    table = segment_profiles.assignments(segment_users(AFFINITIES, seed=1), "v1")
    assert table.schema == pl.Schema(segment_profiles.ASSIGNMENTS_SCHEMA)
    assert table["user_id"].is_sorted()


def test_features_without_users_are_refused() -> None:
    found = segment_users(AFFINITIES, seed=1)
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
@settings(max_examples=25, deadline=None)
def test_any_users_get_segments_with_distinct_names_by_falling_size(
    users: dict[str, list[float]],
) -> None:
    found = segment_users(affinities_of(users), seed=1)
    sizes = np.bincount(found.labels, minlength=len(found.names)).tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0
    assert len(set(found.names)) == len(found.names)
