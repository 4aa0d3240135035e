from __future__ import annotations

import pytest
from scipy.stats import chisquare

from feedback_platform.experiments.sample_ratio import MISMATCH, sample_ratio_p_value


def test_it_is_pearsons_chi_square_against_the_split() -> None:
    users = {"a": 4_950, "b": 2_580, "c": 2_470}

    found = sample_ratio_p_value(users, {"a": 50, "b": 25, "c": 25})

    assert found == pytest.approx(chisquare([4_950, 2_580, 2_470], [5_000, 2_500, 2_500]).pvalue)


@pytest.mark.parametrize(
    ("users", "is_mismatch"),
    [
        # By hand: 2 * 50 ** 2 / 5,050 = .99, p = .32; 2 * 200 ** 2 / 5,000 = 16, p = .00006.
        ({"a": 5_000, "b": 5_100}, False),
        ({"a": 4_800, "b": 5_200}, True),
        ({"a": 5_000}, True),
        ({}, False),
    ],
)
def test_a_mismatch_is_what_does_not_come_by_chance(
    *, users: dict[str, int], is_mismatch: bool
) -> None:
    assert (sample_ratio_p_value(users, {"a": 50, "b": 50}) < MISMATCH) == is_mismatch


def test_shares_count_and_not_what_they_add_up_to() -> None:
    users = {"a": 900, "b": 120}

    assert sample_ratio_p_value(users, {"a": 90, "b": 10}) == pytest.approx(
        sample_ratio_p_value(users, {"a": 9, "b": 1})
    )
