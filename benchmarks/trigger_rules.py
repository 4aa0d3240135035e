"""How often a rule fires on a click-through that is really so much, when it looks all the time.

    python benchmarks/trigger_rules.py [--months 400]

A window of a day with 16 users in each half hour who see 5 items each; users differ. The rule fires
when the whole interval is below 5 %, and looks every half hour for four weeks. Prints the share of
months in which it fires, and after how many hours in the middle of those.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np

from feedback_platform.adjustment.rules.intervals import Sample, interval_of

THRESHOLD = 0.05
LOOKS_A_DAY = 48
DAYS = 28
USERS = 16
ITEMS = 5
ALIKE = 40


def first_firing(rate: float, level: float, random: np.random.Generator) -> int | None:
    """Return the look at which the rule fires, or None if it does not in the month."""
    looks = LOOKS_A_DAY * (DAYS + 1)
    rates = random.beta(rate * ALIKE, (1 - rate) * ALIKE, (looks, USERS))
    clicks = random.binomial(ITEMS, rates)
    totals = np.concatenate([[0], clicks.sum(axis=1).cumsum()])
    squares = np.concatenate([[0], (clicks**2).sum(axis=1).cumsum()])
    users = LOOKS_A_DAY * USERS
    for look in range(looks - LOOKS_A_DAY):
        total = float(totals[look + LOOKS_A_DAY] - totals[look])
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


def main() -> None:
    """Print a line for each level and rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=400)
    months = parser.parse_args().months
    random = np.random.default_rng(1)
    for level in (0.95, 0.99):
        for rate in (0.06, 0.055, 0.05, 0.045, 0.04):
            fired = [
                look
                for look in (first_firing(rate, level, random) for _ in range(months))
                if look is not None
            ]
            middle = statistics.median(fired) * 24 / LOOKS_A_DAY if fired else None
            hours = "never" if middle is None else f"after {middle:.1f} hours"
            print(f"level {level}  rate {rate:.3f}  fires in {len(fired) / months:7.2%}  {hours}")


if __name__ == "__main__":
    main()
