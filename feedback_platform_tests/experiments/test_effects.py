"""The expectations are figures that GrowthBook and tea-tasting publish for their own statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl
import pytest
import tea_tasting
from tea_tasting.metrics import RatioOfMeans

from feedback_platform.adjustment.rules.intervals import Sample, interval_of_change
from feedback_platform.experiments.effects import ANYTHING, absolute, fixed, relative
from feedback_platform.experiments.estimates import Estimate, estimate_arms
from feedback_platform.experiments.metrics import Kind
from feedback_platform.experiments.sums import TOTAL, Sums, of_sample
from feedback_platform_tests.experiments.arms import of_shares, sums_of

# Sum and sum of squares of two arms.
CONTROL = Sums(3407, {TOTAL: 1396.87}, {(TOTAL, TOTAL): 52377.9767})
TREATMENT = Sums(3461, {TOTAL: 2422.7}, {(TOTAL, TOTAL): 134698.29})
# Orders of a session, orders and revenue of a user, with what each is of and what it was before.
METRICS = {
    "orders a session": (Kind.RATIO, "orders", "sessions"),
    "orders a user": (Kind.MEAN, "orders", None),
    "revenue a user": (Kind.MEAN, "revenue", None),
}


def estimates(
    control: Sums, treatment: Sums, kind: Kind, *, is_adjusted: bool = False
) -> tuple[Estimate, Estimate]:
    found = estimate_arms(control, treatment, kind, is_adjusted=is_adjusted)
    assert found is not None
    return found


def of_users(name: str, *, is_adjusted: bool) -> list[Sums]:
    """The arms of tea-tasting's made-up shop."""
    _, numerator, denominator = METRICS[name]
    users = tea_tasting.make_users_data(rng=42, covariates=is_adjusted, return_type="polars")
    figures = {"total": numerator}
    if denominator:
        figures["count"] = denominator
    if is_adjusted:
        figures |= {f"{name}_before": f"{of}_covariate" for name, of in figures.items()}
    return [
        sums_of(
            **{
                name: users.filter(pl.col("variant") == variant)[column].to_numpy()
                for name, column in figures.items()
            }
        )
        for variant in (0, 1)
    ]


def test_the_difference_of_two_means_is_welchs() -> None:
    found = absolute(*estimates(CONTROL, TREATMENT, Kind.MEAN))
    assert found is not None
    read = fixed(found, 0.05)

    assert found.effect == pytest.approx(0.29, abs=5e-6)
    assert (read.low, read.high) == pytest.approx((0.04538, 0.53462), abs=5e-6)
    assert read.p_value == pytest.approx(0.02016, abs=5e-6)


def test_a_relative_difference_counts_that_control_may_be_off_as_well() -> None:
    found = relative(*estimates(CONTROL, TREATMENT, Kind.MEAN))
    assert found is not None
    read = fixed(found, 0.05)

    assert found.effect == pytest.approx(0.70732, abs=5e-6)
    assert (read.low, read.high) == pytest.approx((-0.03526, 1.44989), abs=5e-6)
    assert read.p_value == pytest.approx(0.06191, abs=5e-6)


def test_two_shares_differ_as_proportions_do() -> None:
    found = relative(*estimates(of_shares(28, 14), of_shares(30, 16), Kind.SHARE))
    assert found is not None
    read = fixed(found, 0.05)

    assert found.effect == pytest.approx(0.06667, abs=5e-6)
    assert (read.low, read.high) == pytest.approx((-0.47767, 0.61101), abs=5e-6)
    assert read.p_value == pytest.approx(0.80707, abs=5e-6)


@pytest.mark.parametrize(
    ("name", "is_adjusted", "p_value"),
    [
        ("orders a session", False, 0.0762),
        ("orders a user", False, 0.118),
        ("revenue a user", False, 0.123),
        ("orders a session", True, 0.00229),
        ("orders a user", True, 0.00733),
        ("revenue a user", True, 0.00674),
    ],
)
def test_ratios_and_what_the_past_explains_are_as_tea_tasting_reads_them(
    *, name: str, is_adjusted: bool, p_value: float
) -> None:
    kind, numerator, denominator = METRICS[name]
    control, treatment = of_users(name, is_adjusted=is_adjusted)
    found = absolute(*estimates(control, treatment, kind, is_adjusted=is_adjusted))
    assert found is not None
    read = fixed(found, 0.05)
    # Three digits are published; the whole of it is computed beside.
    assert float(f"{read.p_value:.3g}") == p_value
    before = [f"{column}_covariate" if column else None for column in (numerator, denominator)]
    oracle = RatioOfMeans(numerator, denominator, *(before if is_adjusted else ()))
    users = tea_tasting.make_users_data(rng=42, covariates=is_adjusted)
    wanted = oracle.analyze(users, 0, 1, "variant")
    assert read.p_value == pytest.approx(wanted.pvalue, rel=1e-9)
    assert found.effect == pytest.approx(wanted.effect_size, rel=1e-9)
    assert (read.low, read.high) == pytest.approx(
        (wanted.effect_size_ci_lower, wanted.effect_size_ci_upper), rel=1e-9
    )


def test_a_ratio_is_as_sure_as_trigger_rules_find_it() -> None:
    """They have the same variance, users being the unit, from sums of the same tables."""
    before = Sample(
        users=3, count=12, total=5.0, total_squares=11.0, products=23.0, count_squares=62.0
    )
    after = Sample(
        users=4, count=10, total=7.0, total_squares=19.0, products=21.0, count_squares=34.0
    )
    wanted = interval_of_change(before, after, 0.95, is_proportion=False)

    read = fixed(absolute(*estimates(of_sample(before), of_sample(after), Kind.RATIO)), 0.05)

    assert (read.low, read.high) == pytest.approx((wanted.low, wanted.high))


def test_a_share_with_a_past_is_read_as_the_mean_that_it_is() -> None:
    control = sums_of(total=[1, 0, 0, 1, 0], total_before=[1, 0, 1, 1, 0])
    treatment = sums_of(total=[1, 1, 0, 1], total_before=[0, 1, 0, 1])

    shares, means = (
        estimates(control, treatment, kind, is_adjusted=True) for kind in (Kind.SHARE, Kind.MEAN)
    )

    assert shares == means
    assert shares[0] != estimates(control, treatment, Kind.MEAN)[0]


@pytest.fixture
def another_configuration() -> Iterator[None]:
    """What another part of the program may have told tea-tasting."""
    with tea_tasting.config_context(
        alpha=0.4, confidence_level=0.5, equal_var=True, use_t=False, alternative="greater"
    ):
        yield


@pytest.mark.usefixtures("another_configuration")
def test_what_tea_tasting_is_configured_to_changes_nothing_here() -> None:
    configured = tea_tasting.get_config()

    test_the_difference_of_two_means_is_welchs()
    test_two_shares_differ_as_proportions_do()
    control, treatment = of_users("orders a session", is_adjusted=True)
    adjusted = absolute(*estimates(control, treatment, Kind.RATIO, is_adjusted=True))
    assert fixed(adjusted, 0.05).p_value == pytest.approx(0.00229, abs=5e-6)

    assert tea_tasting.get_config() == configured


@pytest.mark.parametrize(
    ("control", "treatment", "kind"),
    [
        (Sums(), of_shares(30, 16), Kind.SHARE),
        (of_shares(28, 14), of_shares(1, 1), Kind.SHARE),
        (sums_of(total=[0, 0], count=[0, 0]), sums_of(total=[1, 0], count=[2, 2]), Kind.RATIO),
    ],
)
def test_of_too_few_users_nothing_is_known(control: Sums, treatment: Sums, kind: Kind) -> None:
    assert estimate_arms(control, treatment, kind) is None


def test_what_nobody_did_tells_nothing() -> None:
    """No spread is no certainty: a guard that nobody met is not passed."""
    nothing = estimates(of_shares(500, 0), of_shares(500, 0), Kind.SHARE)

    assert absolute(*nothing) is None
    assert fixed(absolute(*nothing), 0.05) == ANYTHING
    assert not ANYTHING.excludes(1e9)


@pytest.mark.parametrize(("control", "treatment"), [(0, 3), (3, 0)])
def test_nothing_is_no_share_of_anything(control: int, treatment: int) -> None:
    arms = estimates(of_shares(500, control), of_shares(500, treatment), Kind.SHARE)

    assert relative(*arms) is None
    assert absolute(*arms) is not None


def test_a_past_that_nobody_has_explains_nothing() -> None:
    figures = {"total": [1, 0, 2, 4], "count": [1, 1, 2, 5]}
    plain = sums_of(**figures)
    without = sums_of(**figures, total_before=[0] * 4, count_before=[0] * 4)
    alike = sums_of(**figures, total_before=[3] * 4, count_before=[2] * 4)

    for past in (without, alike):
        assert estimate_arms(past, past, Kind.RATIO, is_adjusted=True) == estimate_arms(
            plain, plain, Kind.RATIO
        )


def test_an_interval_at_a_smaller_alpha_is_wider() -> None:
    found = absolute(*estimates(CONTROL, TREATMENT, Kind.MEAN))
    narrow, wide = fixed(found, 0.05), fixed(found, 0.01)

    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.p_value == narrow.p_value
    assert narrow.excludes(0)
    assert not wide.excludes(0)
    assert math.isfinite(wide.high)
