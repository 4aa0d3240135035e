"""How often an experiment finds what is not there, and how often it finds what is.

    python benchmarks/experiments_aa.py [--experiments 10000] [--seed 2]

A/A: both arms have users of one made-up population, of whom 200 come before each of 20 looks. Read
once, at the end, a difference may be found in 5 % of the experiments; read at any time, in 5 % at
any look at all. Beside it, what becomes of the fixed test when it is read at every look.

A/B: a share of 20 % is 25 % in the treatment, and as many users come as were planned.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from feedback_platform.experiments.definition import Design
from feedback_platform.experiments.effects import absolute, fixed
from feedback_platform.experiments.estimates import estimate_arms
from feedback_platform.experiments.metrics import Kind
from feedback_platform.experiments.planning import (
    Baseline,
    Shares,
    users_needed,
    users_needed_sequentially,
)
from feedback_platform.experiments.sample_ratio import MISMATCH, sample_ratio_p_value
from feedback_platform.experiments.sequential import any_time
from feedback_platform.experiments.sums import Sums
from feedback_platform_tests.experiments.arms import of_shares
from feedback_platform_tests.experiments.made_up import LOOKS, MEASURED, looks, population

USERS_A_LOOK = 200
DESIGN = Design(timedelta(days=28))
BEFORE, AFTER = 0.20, 0.25


def read(arms: tuple[Sums, Sums], kind: Kind, *, is_adjusted: bool) -> tuple[bool, bool]:
    """Return whether a difference is found by the fixed test, and by the confidence sequence."""
    estimates = estimate_arms(*arms, kind, is_adjusted=is_adjusted)
    difference = None if estimates is None else absolute(*estimates)
    sequence = any_time(difference, DESIGN.alpha, DESIGN.tuned_for)
    return fixed(difference, DESIGN.alpha).p_value < DESIGN.alpha, sequence.excludes(0)


def same_arms(experiments: int, seed: int) -> None:
    """Print the share of experiments in which a difference was found, for each kind of metric."""
    users = population(100_000, np.random.default_rng(1))
    print(f"A/A, {experiments:,} experiments  once, at the end  sequential, ever  fixed, ever")
    for name, measured in MEASURED.items():
        once = ever = peeked = 0
        for arms in looks(measured, users, experiments, USERS_A_LOOK, seed):
            found = [read(each, measured.kind, is_adjusted=measured.is_adjusted) for each in arms]
            once += found[-1][0]
            peeked += any(is_found for is_found, _ in found)
            ever += any(is_found for _, is_found in found)
        rates = [count / experiments for count in (once, ever, peeked)]
        print(f"{name:<25}  {rates[0]:>16.2%}  {rates[1]:>16.2%}  {rates[2]:>11.2%}")
    halves = {"control": 50.0, "treatment": 50.0}
    at_end = at_any = 0
    for arms in looks(MEASURED["share"], users, experiments, USERS_A_LOOK, seed):
        p_values = [
            sample_ratio_p_value({"control": one.users, "treatment": two.users}, halves)
            for one, two in arms
        ]
        at_end += p_values[-1] < MISMATCH
        at_any += min(p_values) < MISMATCH
    print(
        f"sample ratio below {MISMATCH}: {at_end / experiments:.2%} at the end, "
        f"{at_any / experiments:.2%} at any look"
    )


def other_arms(experiments: int) -> None:
    """Print how often a planned experiment finds the effect that it was planned for."""
    print(f"A/B, {experiments:,} experiments, {BEFORE:.0%} → {AFTER:.0%}, planned for 80 %")
    planned = Baseline.of_share(BEFORE), AFTER - BEFORE, DESIGN, Shares()
    for times in (1.0, 1.06):
        users = math.ceil(times * users_needed(*planned) / 2)
        found = sum(
            read(arms, Kind.SHARE, is_adjusted=False)[0]
            for (arms,) in converting(experiments, users, looked=1)
        )
        print(
            f"once, at the end: {users:,} users an arm, {times:g} of the plan, found in "
            f"{found / experiments:.2%}"
        )
    users = math.ceil(users_needed_sequentially(*planned) / 2 / LOOKS)
    first = [
        number * users
        for each in converting(experiments, users, looked=LOOKS)
        for number in itertools.islice(sequentially_found(each), 1)
    ]
    print(
        f"sequential: {users * LOOKS:,} users an arm, found in {len(first) / experiments:.2%}, "
        f"half of those by {statistics.median(first):,.0f}"
    )


def converting(experiments: int, users: int, looked: int) -> Iterator[list[tuple[Sums, Sums]]]:
    """Give the two arms at each look of experiment after experiment; so many users in between."""
    random = np.random.default_rng(3)
    control, treatment = (
        random.binomial(users, share, (experiments, looked)).cumsum(axis=1).tolist()
        for share in (BEFORE, AFTER)
    )
    for one, two in zip(control, treatment, strict=True):
        yield [
            (of_shares(users * number, first), of_shares(users * number, second))
            for number, (first, second) in enumerate(zip(one, two, strict=True), start=1)
        ]


def sequentially_found(arms: list[tuple[Sums, Sums]]) -> Iterator[int]:
    """Give the looks, from 1, at which the confidence sequence has found a difference."""
    for number, each in enumerate(arms, start=1):
        if read(each, Kind.SHARE, is_adjusted=False)[1]:
            yield number


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2, help="of the users that A/A draws")
    options = parser.parse_args()
    begun = time.perf_counter(), time.process_time()
    same_arms(options.experiments, options.seed)
    other_arms(options.experiments)
    seconds = time.perf_counter() - begun[0], time.process_time() - begun[1]
    print(f"{seconds[0]:.0f} s, of which {seconds[1]:.0f} s on a processor")


if __name__ == "__main__":
    main()
