"""How often drift is found where there is none, and how soon where there is some.

    python benchmarks/drift.py [--families 20] [--values 500000] [--looks 200] [--seed 1]

Streams, as the platform takes them (sums of blocks of 200, a look after each block), beside ADWIN
as river has it by itself (a look at every 32nd value):
- stationary: families of six streams of so many values each; how many of the streams, and of the
  families, raise an alarm at any of their looks;
- not independent: the rate follows the hour of the day, or is each user's own for 20 values; how
  many streams are found to change at all, and with a consequence, and how many by ADWIN alone;
- a change: how many values it takes.

Features: forty that stay as they are, held against a training at each look; by the platform's
rules, and by a test of each feature as scipy has it. Then one that is shifted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.stats
from machine import say_what_machine

from feedback_platform.monitoring.drift import StreamState, adaptive_window, advance
from feedback_platform.monitoring.feature_drift import FeatureLook, compare
from feedback_platform.monitoring.feature_reference import described, reference_of
from feedback_platform.monitoring.monitoring_rules import default_monitoring_rules

Values = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]

START = datetime(2026, 1, 5, tzinfo=UTC)
RULES = default_monitoring_rules()
FEATURES = 40
# A day of a product with 20,000 impressions.
A_DAY = 20_000
APART = 86_400_000_000 // A_DAY
# What goes before a change.
STEADY = 50_000


def clicks(rate: float) -> Draw:
    """Independent clicks."""
    return lambda rng, size: (rng.random(size) < rate).astype(np.float64)


def scores(rng: np.random.Generator, size: int) -> Values:
    """Feedback scores: most in the middle, a fifth at the ends."""
    return np.where(rng.random(size) < 1 / 5, rng.integers(0, 2, size), rng.beta(4, 3, size))


def with_hours(amplitude: float) -> Draw:
    """Clicks whose rate is a tenth on average and goes up and down once a day."""

    def draw(rng: np.random.Generator, size: int) -> Values:
        rate = 0.1 * (1 + amplitude * np.sin(2 * np.pi * np.arange(size) / A_DAY))
        return (rng.random(size) < rate).astype(np.float64)

    return draw


def of_users(rng: np.random.Generator, size: int) -> Values:
    """Clicks of users who see 20 items each, and differ: a tenth on average, beta(1, 9)."""
    rate = np.repeat(rng.beta(1, 9, size // 20 + 1), 20)[:size]
    return (rng.random(size) < rate).astype(np.float64)


# What the six streams are like.
FAMILY: dict[str, Draw] = {
    "click_through": clicks(0.1),
    "model_hit_rate": clicks(0.4),
    "mean_score": scores,
    "score_spread": lambda rng, size: np.abs(2 * scores(rng, size) - 1),
    "rating_mean": lambda rng, size: rng.integers(0, 10, size) / 9,
    "dwell": lambda rng, size: np.clip(rng.normal(0.5, 0.15, size), 0, 1),
}


def found(name: str, values: Values) -> tuple[int, int, int | None]:
    """Return how many changes are found, how many have consequences, and where the first of those.

    The place is how many values it took.
    """
    times = pl.select(
        pl.lit(START) + pl.int_range(len(values)).cast(pl.Int64) * pl.duration(microseconds=APART)
    ).to_series()
    _, events = advance(StreamState(name), pl.Series(values), times)
    acted = [event for event in events if RULES.action(event) != "record"]
    apart = timedelta(microseconds=APART)
    places = [(event.detected_at - START) // apart + 1 for event in acted]
    return len(events), len(acted), min(places, default=None)


def by_scipy_alone(before: Values, after: Values) -> float:
    """Return the p-value of scipy's test."""
    return float(scipy.stats.ks_2samp(before, after).pvalue)


def by_river(values: Values, delta: float, clock: int) -> int | None:
    """Return at which value ADWIN by itself first says that something changed."""
    detector = adaptive_window(delta, clock=clock)
    changes: Iterator[bool] = map(detector.update, values.tolist())
    return next((number for number, is_changed in enumerate(changes, 1) if is_changed), None)


def stationary(families: int, values: int, seed: int) -> None:
    """Print how often nothing is found to be something."""
    rng = np.random.default_rng(seed)
    alarms = alone = acted = 0
    of_family = 0
    for _ in range(families):
        drawn = {name: draw(rng, values) for name, draw in FAMILY.items()}
        results = [found(name, each) for name, each in drawn.items()]
        alarms += sum(result[0] > 0 for result in results)
        acted += sum(result[1] > 0 for result in results)
        of_family += any(result[0] for result in results)
        alone += sum(by_river(each, 0.002, 32) is not None for each in drawn.values())
    streams = families * len(FAMILY)
    print(f"stationary, {families} families of {len(FAMILY)} streams of {values:,} values")
    print(f"  platform       {alarms} of {streams} streams, {of_family} of {families} families")
    print(f"                 {acted} of {streams} streams with a consequence")
    print(f"  ADWIN, .002    {alone} of {streams} streams")


def dependent(streams: int, values: int, seed: int) -> None:
    """Print what is found in streams that only seem to change."""
    print(f"not independent, {streams} streams of {values:,} values each")
    print(f"  {'':<20} {'any change':>10} {'a consequence':>14} {'ADWIN, .002':>12}")
    for label, draw in {
        "±5 % by the hour": with_hours(0.05),
        "±10 % by the hour": with_hours(0.1),
        "±20 % by the hour": with_hours(0.2),
        "±50 % by the hour": with_hours(0.5),
        "users of 20 values": of_users,
    }.items():
        rng = np.random.default_rng(seed)
        drawn = [draw(rng, values) for _ in range(streams)]
        results = [found("click_through", each) for each in drawn]
        alone = sum(by_river(each, 0.002, 32) is not None for each in drawn)
        print(
            f"  {label:<20} {sum(result[0] > 0 for result in results):>10}"
            f" {sum(result[1] > 0 for result in results):>14} {alone:>12}"
        )


def delays(runs: int, seed: int) -> None:
    """Print how many values a change takes to be noticed, and the share that is."""
    print(
        f"a change after {STEADY:,} values, {runs} runs: values to notice, mean (95th percentile)"
    )
    for before, after in ((0.2, 0.8), (0.2, 0.4), (0.12, 0.06), (0.1, 0.08), (0.1, 0.09)):
        rng = np.random.default_rng(seed)
        ours: list[int] = []
        rivers: list[int] = []
        for _ in range(runs):
            values = np.concatenate([clicks(before)(rng, STEADY), clicks(after)(rng, 2 * STEADY)])
            places = found("click_through", values)[2], by_river(values, 0.002, 32)
            for known, place in zip((ours, rivers), places, strict=True):
                if place is not None and place > STEADY:
                    known.append(place - STEADY)
        told = f"platform {_summary(ours, runs)}, ADWIN {_summary(rivers, runs)}"
        print(f"  {before} to {after:<5} {told}")


def reference_values(seed: int) -> None:
    """Print ADWIN as river has it by default on the streams whose figures are known."""
    steady = by_river(clicks(0.2)(np.random.default_rng(seed), 500_000), 0.002, 32)
    print(f"ADWIN, δ = .002: first alarm in 500,000 steady values: {steady}")
    for after in (0.8, 0.4):
        rng = np.random.default_rng(seed)
        places = [
            by_river(
                np.concatenate([clicks(0.2)(rng, 2_000), clicks(after)(rng, 2_000)]), 0.002, 32
            )
            for _ in range(1_000)
        ]
        noticed = [place - 2_000 for place in places if place is not None]
        print(f"  .2 to {after}: {_summary(noticed, 1_000)}")


def features(looks: int, seed: int) -> None:
    """Print how often steady features are found to drift, and how soon one that does."""
    rng = np.random.default_rng(seed)
    names = [f"f{number}" for number in range(FEATURES)]
    drawn = {name: rng.normal(0, 1, 20_000) for name in names}
    reference = reference_of({"user": pl.DataFrame(drawn)}, START)

    def look(
        shift: float, earlier: list[FeatureLook], number: int
    ) -> tuple[list[FeatureLook], int]:
        now = {name: rng.normal(0, 1, 20_000) for name in names}
        now["f0"] += shift
        rejected = sum(
            by_scipy_alone(drawn[name], now[name]) < RULES.features.level for name in names[:10]
        )
        present = {
            f"user.{name}": described(pl.Series(values), reference.features[f"user.{name}"].edges)
            for name, values in now.items()
        }
        at = START + timedelta(hours=6 * number)
        return (
            compare(reference, present, earlier, version="v", measured_at=at, rules=RULES.features),
            rejected,
        )

    earlier: list[FeatureLook] = []
    drifted = off = by_scipy = by_holm = 0
    for number in range(looks):
        earlier, rejected = look(0.0, earlier, number)
        drifted += any(each.is_drifted for each in earlier)
        off += any(each.is_off for each in earlier)
        by_scipy += rejected > 0
        by_holm += min(each.ks_p_value for each in earlier) < RULES.features.level / FEATURES
    print(f"{FEATURES} steady features of 20,000 users at {looks} looks: looks with an alarm")
    print(f"  platform {drifted}, off at one look {off}; Holm alone {by_holm};")
    print(f"  scipy's test of each of 10 of them by itself {by_scipy}")
    for shift in (0.1, 0.2, 0.25, 0.3, 0.5):
        needed = []
        for _ in range(10):
            earlier = []
            for number in range(1, 11):
                earlier, _ = look(shift, earlier, number)
                if any(each.is_drifted for each in earlier):
                    needed.append(number)
                    break
        told = f"{np.mean(needed):.1f} looks" if needed else "never"
        print(f"  one shifted by {shift} deviations: found in {len(needed)} of 10, after {told}")


def _summary(places: list[int], runs: int) -> str:
    if not places:
        return f"never of {runs}"
    return f"{np.mean(places):,.0f} ({np.quantile(places, 0.95):,.0f}) in {len(places)} of {runs}"


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--families", type=int, default=20)
    parser.add_argument("--values", type=int, default=500_000)
    parser.add_argument("--looks", type=int, default=200)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    say_what_machine()
    parts: list[Callable[[], None]] = [
        lambda: reference_values(given.seed),
        lambda: stationary(given.families, given.values, given.seed),
        lambda: dependent(given.families, given.values, given.seed),
        lambda: delays(given.runs, given.seed),
        lambda: features(given.looks, given.seed),
    ]
    for part in parts:
        began = time.perf_counter()
        part()
        print(f"  ({time.perf_counter() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
