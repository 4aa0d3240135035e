"""How often an experiment finds what is not there, and how often it finds what is.

    python benchmarks/experiments_aa.py [--experiments 10000] [--seed 2]

A/A: both arms have users of one made-up population, of whom 200 come before each of 20 looks. Read
once, at the end, a difference may be found in 5 % of the experiments; read at any time, in 5 % at
any look at all. Beside it, what becomes of the fixed test when it is read at every look.

Rare events in a small arm are read with and without waiting until enough of them have come. For a
fifth of the experiments, of three variants, it is told what is decided.

A/B: a share of 20 % is 25 % in the treatment, and as many users come as were planned.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
from machine import say_what_machine

from feedback_platform.experiments.analysis import analyse
from feedback_platform.experiments.decision import decide
from feedback_platform.experiments.definition import Design, Experiment, Goal, Guard, Lever
from feedback_platform.experiments.effects import absolute, fixed
from feedback_platform.experiments.estimates import estimate_arms
from feedback_platform.experiments.metrics import METRICS, Kind
from feedback_platform.experiments.planning import (
    Baseline,
    Shares,
    users_needed,
    users_needed_sequentially,
)
from feedback_platform.experiments.sample_ratio import MISMATCH, sample_ratio_p_value
from feedback_platform.experiments.sequential import any_time
from feedback_platform.experiments.sums import Sums
from feedback_platform.experiments.support import SMALLEST, support
from feedback_platform_tests.experiments.arms import of_shares
from feedback_platform_tests.experiments.made_up import LOOKS, MEASURED, looks, population

USERS_A_LOOK = 200
DESIGN = Design(timedelta(days=28))
THREE = Experiment(
    key="a-a-a-a",
    hypothesis="Nothing differs.",
    lever=Lever.FLAG,
    subject="flag",
    variants={name: name for name in ("control", "a", "b", "c")},
    control="control",
    split=dict.fromkeys(("control", "a", "b", "c"), 25.0),
    primary=(Goal("converting_users", 0.02),),
    guards=(Guard("returning_users", 0.05),),
    design=DESIGN,
)
BEFORE, AFTER = 0.20, 0.25
# How many convert, the share of the treated arm, users of both arms before each look.
RARE = [(0.01, 0.5, 400), (0.01, 0.1, 2_000), (0.001, 0.05, 40_000)]


def read(arms: tuple[Sums, Sums], kind: Kind, *, is_adjusted: bool = False) -> tuple[bool, bool]:
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


def small_arms(experiments: int) -> None:
    """Print what becomes of rare events in a small arm, with and without waiting for support."""
    print(f"A/A, {experiments:,} experiments, {LOOKS} looks, sequential, at any look")
    random = np.random.default_rng(4)
    metric = METRICS["converting_users"]
    for rate, share, users in RARE:
        treated = random.binomial(users, share, (experiments, LOOKS))
        clicked = [random.binomial(arm, rate) for arm in (users - treated, treated)]
        always = supported = 0
        for seen, *done in zip(
            treated.cumsum(axis=1).tolist(),
            *(each.cumsum(axis=1).tolist() for each in clicked),
            strict=True,
        ):
            arms = [
                (of_shares(number * users - of_two, one), of_shares(of_two, two))
                for number, (of_two, one, two) in enumerate(zip(seen, *done, strict=True), start=1)
            ]
            found = [each for each in arms if read(each, Kind.SHARE)[1]]
            always += bool(found)
            supported += any(support(*each, metric) >= SMALLEST for each in found)
        print(
            f"{rate:.1%} convert, {share:.0%} treated, {users:,} users a look: "
            f"{always / experiments:.2%}, with support {supported / experiments:.2%}"
        )


def decisions(experiments: int) -> None:
    """Print what is decided about three variants that are like control, with a guard."""
    print(f"A/A, {experiments:,} experiments, 3 variants with a guard, {LOOKS} looks")
    random = np.random.default_rng(6)
    once = replace(THREE, design=replace(DESIGN, is_sequential=False))
    found: Counter[str] = Counter()
    for _ in range(experiments):
        arrived = random.multinomial(2 * USERS_A_LOOK, [0.25] * 4, LOOKS)
        done = {
            metric: random.binomial(arrived, rate).cumsum(axis=0).tolist()
            for metric, rate in (("converting_users", 0.1), ("returning_users", 0.3))
        }
        ever: set[str] = set()
        for number, counts in enumerate(arrived.cumsum(axis=0).tolist(), start=1):
            users = dict(zip(THREE.variants, counts, strict=True))
            observed = {
                metric: {
                    name: of_shares(users[name], seen)
                    for name, seen in zip(THREE.variants, each[number - 1], strict=True)
                }
                for metric, each in done.items()
            }
            look = analyse(THREE, users, observed)
            made = decide(THREE, look, is_over=number == LOOKS)
            ever |= {f"sequential, {decision.verdict}" for decision in made.values()}
            if number == LOOKS:
                made = decide(once, look, is_over=True)
                ever |= {f"once, {decision.verdict}" for decision in made.values()}
        found.update(ever)
    for name in ("ship", "stop: harms", "invalid: sample ratio"):
        rates = [found[f"{how}, {name}"] / experiments for how in ("sequential", "once")]
        print(f"{name}: {rates[0]:.2%} at any look, {rates[1]:.2%} read once")


def other_arms(experiments: int) -> None:
    """Print how often a planned experiment finds the effect that it was planned for."""
    print(f"A/B, {experiments:,} experiments, {BEFORE:.0%} → {AFTER:.0%}, planned for 80 %")
    planned = Baseline.of_share(BEFORE), AFTER - BEFORE, DESIGN, Shares()
    for times in (1.0, 1.06):
        users = math.ceil(times * users_needed(*planned) / 2)
        found = sum(
            read(arms, Kind.SHARE)[0] for (arms,) in converting(experiments, users, looked=1)
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
        if read(each, Kind.SHARE)[1]:
            yield number


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2, help="of the users that A/A draws")
    options = parser.parse_args()
    say_what_machine()
    begun = time.perf_counter(), time.process_time()
    same_arms(options.experiments, options.seed)
    small_arms(options.experiments)
    decisions(options.experiments // 5)
    other_arms(options.experiments)
    seconds = time.perf_counter() - begun[0], time.process_time() - begun[1]
    print(f"{seconds[0]:.0f} s, of which {seconds[1]:.0f} s on a processor")


if __name__ == "__main__":
    main()
