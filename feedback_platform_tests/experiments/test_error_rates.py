"""Experiments in which nothing was changed; benchmarks/experiments_aa.py has ten times as many."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from feedback_platform.experiments.effects import absolute, fixed
from feedback_platform.experiments.estimates import estimate_arms
from feedback_platform.experiments.sequential import any_time
from feedback_platform_tests.experiments.made_up import MEASURED, looks, population

EXPERIMENTS = 1_000
ALPHA = 0.05


def test_what_is_not_there_is_found_as_often_as_alpha_says() -> None:
    """Seeded, so it cannot fail by chance; a ratio under CUPED has every part of the others."""
    measured = MEASURED["ratio, CUPED"]
    users = population(20_000, np.random.default_rng(1))
    once = ever = 0
    for arms in looks(measured, users, EXPERIMENTS, users_a_look=100, seed=5):
        differences = []
        for control, treatment in arms[1::2]:
            estimates = estimate_arms(
                control, treatment, measured.kind, is_adjusted=measured.is_adjusted
            )
            assert estimates is not None
            differences.append(absolute(*estimates))
        once += fixed(differences[-1], ALPHA).p_value < ALPHA
        ever += any(any_time(each, ALPHA, tuned_for=2_000).excludes(0) for each in differences)

    low, high = binom.interval(0.999, EXPERIMENTS, ALPHA)
    assert low <= once <= high
    # So few that a rate of 5 % is out of the question, looked at ten times.
    assert ever < binom.ppf(0.001, EXPERIMENTS, ALPHA)
    assert ever > 0
