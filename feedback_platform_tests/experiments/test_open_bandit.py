"""Two policies that were shown to real users, half and half: a bandit's choice against chance."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from feedback_platform.experiments.analysis import analyse
from feedback_platform.experiments.decision import Verdict, decide
from feedback_platform.experiments.definition import Goal
from feedback_platform_tests.experiments.arms import experiment, of_shares


def test_the_two_policies_of_open_bandit_are_compared(shared_data: Path) -> None:
    """The log has no users, so an impression counts as one; clicks are what they did."""
    logs = {
        policy: pl.read_csv(shared_data / "open-bandit-small" / policy / "men.csv.gz")["click"]
        for policy in ("random", "bts")
    }
    shown = {policy: len(log) for policy, log in logs.items()}
    clicked = {policy: int(log.sum()) for policy, log in logs.items()}
    policies = experiment(
        variants={"random": "uniform", "bts": "bandit"},
        control="random",
        split={"random": 50.0, "bts": 50.0},
        primary=(Goal("converting_users", 0.001),),
    )
    arms = {name: of_shares(shown[name], clicked[name]) for name in policies.variants}

    look = analyse(policies, shown, {"converting_users": arms})

    assert shown == {"random": 10_000, "bts": 10_000}
    assert clicked == {"random": 46, "bts": 69}
    found = look.readings["converting_users", "bts"]
    assert (found.control, found.mean) == pytest.approx((0.0046, 0.0069))
    assert found.effect == pytest.approx(0.0023)
    # By hand: the standard error is sqrt(.0046 * .9954 / 10,000 + .0069 * .9931 / 10,000).
    assert found.effect is not None
    assert found.effect / 0.00106917 == pytest.approx(2.15, abs=0.005)
    assert found.fixed.p_value == pytest.approx(0.032, abs=0.0006)
    assert (found.fixed.low, found.fixed.high) == pytest.approx((0.000205, 0.004395), abs=1e-6)
    # By hand: the standard error is sqrt(.0324 + 1.5 ** 2 * .0216) = .2847 of control's mean.
    assert found.relative_effect == pytest.approx(0.5)
    assert (found.relative.low, found.relative.high) == pytest.approx((-0.058, 1.058), abs=1e-3)
    # Read once, it is there; whoever may look at any time has to see more of it.
    assert found.fixed.excludes(0)
    assert not found.sequential.excludes(0)
    (decision,) = decide(policies, look, is_over=False).values()
    assert decision.verdict is Verdict.WAIT
