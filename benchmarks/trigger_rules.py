"""How often a rule fires on a click-through that is really so much, when it looks all the time.

    python benchmarks/trigger_rules.py [--months 400] [--samples 20000]

A window of a day with 16 users in each half hour who see 5 items each; users differ. The rule fires
when the whole interval is below 5 %, and looks every half hour for four weeks. Prints the share of
months in which it fires, and after how many hours in the middle of those. Beside it is the bare
comparison, which fires when the rate itself is below 5 %.

Before that the interval by itself: how often it misses the truth, beside plain Wilson's, which
takes impressions for independent. 60 users have 16 impressions each on average (a Poisson number),
and rates from a Beta distribution of mean .1.
"""

from __future__ import annotations

import argparse
import math
import statistics

import numpy as np
from machine import say_what_machine

from feedback_platform.adjustment.rules.intervals import Sample, interval_of, wilson

THRESHOLD = 0.05
LOOKS_A_DAY = 48
DAYS = 28
USERS = 16
ITEMS = 5
ALIKE = 40
# Of the interval by itself.
MEAN, SPREAD = 0.1, 10
SEEN_BY, SEEN = 60, 16
LEVEL, QUANTILE = 0.95, statistics.NormalDist().inv_cdf(0.975)


def first_firing(rate: float, level: float | None, random: np.random.Generator) -> int | None:
    """Return the look at which the rule fires, or None if it does not in the month.

    Without a level it is the rate alone that is compared.
    """
    looks = LOOKS_A_DAY * (DAYS + 1)
    rates = random.beta(rate * ALIKE, (1 - rate) * ALIKE, (looks, USERS))
    clicks = random.binomial(ITEMS, rates)
    totals = np.concatenate([[0], clicks.sum(axis=1).cumsum()])
    squares = np.concatenate([[0], (clicks**2).sum(axis=1).cumsum()])
    users = LOOKS_A_DAY * USERS
    for look in range(looks - LOOKS_A_DAY):
        total = float(totals[look + LOOKS_A_DAY] - totals[look])
        if level is None:
            if total / (users * ITEMS) < THRESHOLD:
                return look
            continue
        sample = Sample(
            users=users,
            count=users * ITEMS,
            total=total,
            total_squares=float(squares[look + LOOKS_A_DAY] - squares[look]),
            products=total * ITEMS,
            count_squares=float(users * ITEMS**2),
        )
        if interval_of(sample, level, is_proportion=True).is_below(THRESHOLD):
            return look
    return None


def misses(samples: int, random: np.random.Generator) -> tuple[float, float]:
    """Return the share of samples in which plain Wilson's interval and this one miss the truth."""
    plain = ours = 0
    for _ in range(samples):
        rates = random.beta(MEAN * SPREAD, (1 - MEAN) * SPREAD, SEEN_BY)
        seen = random.poisson(SEEN, SEEN_BY)
        clicked = random.binomial(seen, rates)
        total, count = float(clicked.sum()), int(seen.sum())
        found = interval_of(
            Sample(
                users=int((seen > 0).sum()),
                count=count,
                total=total,
                total_squares=float((clicked**2).sum()),
                products=float((clicked * seen).sum()),
                count_squares=float((seen**2).sum()),
            ),
            LEVEL,
            is_proportion=True,
        )
        beside = wilson(total / count, count, QUANTILE)
        ours += not found.low <= MEAN <= found.high
        plain += not beside.low <= MEAN <= beside.high
    return plain / samples, ours / samples


def main() -> None:
    """Print how often intervals miss, and a line for each level and rate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--months", type=int, default=400)
    parser.add_argument("--samples", type=int, default=20_000)
    chosen = parser.parse_args()
    say_what_machine()
    plain, ours = misses(chosen.samples, np.random.default_rng(2))
    error = math.sqrt(ours * (1 - ours) / chosen.samples)
    print(f"{LEVEL:.0%} intervals of {SEEN_BY} users' click-through, {chosen.samples:,} samples:")
    print(f"  plain Wilson misses {plain:.1%}, by users {ours:.1%} (standard error {error:.2%})")
    random = np.random.default_rng(1)
    for level in (0.95, 0.99, None):
        for rate in (0.06, 0.055, 0.05, 0.045, 0.04):
            fired = [
                look
                for look in (first_firing(rate, level, random) for _ in range(chosen.months))
                if look is not None
            ]
            middle = statistics.median(fired) * 24 / LOOKS_A_DAY if fired else None
            hours = "never" if middle is None else f"after {middle:.1f} hours"
            name = "rate alone" if level is None else f"level {level}"
            share = len(fired) / chosen.months
            print(f"{name:<10}  rate {rate:.3f}  fires in {share:7.2%}  {hours}", flush=True)


if __name__ == "__main__":
    main()
