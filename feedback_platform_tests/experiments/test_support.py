from __future__ import annotations

import pytest

from feedback_platform.experiments.metrics import METRICS, Kind, Metric
from feedback_platform.experiments.sums import Sums
from feedback_platform.experiments.support import support
from feedback_platform_tests.experiments.arms import of_shares, sums_of

SHARE, MEAN = METRICS["converting_users"], METRICS["revenue_per_user"]
CLICKS, SECONDS = METRICS["click_through_rate"], METRICS["session_seconds"]


def test_of_a_share_those_count_who_did_it_or_did_not() -> None:
    # By hand: 30 of 3,000, so an arm of 1,000 has to expect 10; of 2,970 those 30 who did not.
    assert support(of_shares(2_000, 28), of_shares(1_000, 2), SHARE) == pytest.approx(10)
    assert support(of_shares(2_000, 1_972), of_shares(1_000, 998), SHARE) == pytest.approx(10)


def test_a_variant_in_which_nobody_does_it_is_supported_by_control() -> None:
    assert support(of_shares(1_000, 100), of_shares(1_000, 0), SHARE) == pytest.approx(50)


def test_a_mean_counts_fewer_the_more_unequal_users_are() -> None:
    alike = sums_of(total=[5, 5, 5, 5])
    # By hand: 20 ** 2 / (17 ** 2 + 3) = 1.37 of 4, twice over.
    unequal = sums_of(total=[17, 1, 1, 1])

    assert support(alike, alike, MEAN) == pytest.approx(4)
    assert support(unequal, unequal, MEAN) == pytest.approx(400 / 292)


def test_of_a_ratio_the_numerator_counts_and_of_a_rate_what_is_left_of_it() -> None:
    arm = sums_of(total=[2, 1, 0, 0], count=[4, 2, 3, 1])

    # By hand: 3 ** 2 / 5 who clicked, and 7 ** 2 / (4 + 1 + 9 + 1) of what was not clicked.
    assert support(arm, arm, CLICKS) == pytest.approx(9 / 5)
    assert support(arm, arm, SECONDS) == pytest.approx(9 / 5)
    most = sums_of(total=[4, 2, 3, 0], count=[4, 2, 3, 1])
    assert support(most, most, CLICKS) == pytest.approx(1)
    assert support(most, most, SECONDS) == pytest.approx(81 / 29)


def test_where_a_total_may_be_below_zero_everybody_counts() -> None:
    arm = sums_of(total=[1, -1, 0, 1], count=[1, 1, 1, 1])

    assert support(arm, arm, METRICS["net_promoter_share"]) == 4


@pytest.mark.parametrize("metric", [SHARE, Metric(Kind.MEAN, "anything", low=-1.0)])
def test_of_nobody_there_is_nothing(metric: Metric) -> None:
    assert support(Sums(), of_shares(10, 5), metric) == 0
    if metric is SHARE:
        assert support(of_shares(10, 0), of_shares(10, 0), metric) == 0
