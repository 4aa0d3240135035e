"""What measured costs come to at a number of events a day: growth, cores, disks. Nothing runs.

The growth of a stage is the exponent g by which its cost per unit follows what it grows with, from
the second largest to the largest size that was measured: cost per unit ~ size ** g, so 0 says that
ten times as much costs ten times as much, and 0.1 that it costs 10 ** 1.1 = 12.6 times as much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

SECONDS_A_DAY: Final = 86_400
A_MILLION: Final = 1e6
EVENTS: Final = "events"
SCORES: Final = "scores"
SCORES_A_USER: Final = 140
MICRO_BATCH: Final = "a micro-batch, before its events"
# Answered from a table in memory by a key: a difference between two sizes is the machine's, and no
# growth to be continued over five powers of ten.
LOOKED_UP: Final = frozenset({"a click and the list after it", "evaluating a flag"})


@dataclass(frozen=True)
class Cost:
    """What one stage took at one size.

    Attributes:
        stage: its name.
        unit: of what it takes `each`: events, requests, scores.
        grows_with: what `size` counts: `stored events`, `users`, `scores`, `connections`.
        size: how many there were.
        each: processor seconds for a unit; for storage, bytes.
        memory: peak of the process in bytes, where it was seen.
        peer: what the peer takes for a unit, in the same.
    """

    stage: str
    unit: str
    grows_with: str
    size: float
    each: float
    memory: float | None = None
    peer: float | None = None


_DIVISORS: Final = frozenset({"events_a_user_day", "utilisation", "night_hours", "batch_seconds"})


@dataclass(frozen=True)
class Assumptions:
    """What a product is like; none of it was measured, and all of it can be told to the script."""

    events_a_user_day: float = 100.0
    users_a_month: float = 3.0  # for each user of a day
    lists_an_event: float = 0.05
    flags_an_event: float = 0.05
    reads_an_event: float = 0.05
    pages_a_day: float = 2_000.0
    stored_days: float = 365.0
    peak: float = 3.0  # the busiest hour beside the average
    utilisation: float = 0.6  # of a core that is not overloaded
    night_hours: float = 4.0  # for training, grouping and listing
    batch_seconds: float = 10.0  # from one micro-batch to the next
    batch_cpu: float = 2.0  # of a run around one: 4.7 s in docs/latency.md, less its own work
    # What a batch takes more for each million stored, by the straight line through the 1 M and 50 M
    # of docs/layers.md: (4.01 s - 2.06 s) / 49. Sizes that take minutes to prepare do not show it.
    batch_scan: float = 0.04

    def __post_init__(self) -> None:
        """Refuse what no product is like.

        Raises:
            ValueError: a number is negative or no number, or one that others are divided by is 0.
        """
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0 <= value < math.inf or (value == 0 and each.name in _DIVISORS):
                kind = "above" if each.name in _DIVISORS else "at least"
                raise ValueError(f"{each.name} is {kind} 0, not {value:g}")


@dataclass(frozen=True)
class Demand:
    """What a stage has to do at a number of events a day.

    Attributes:
        units: a day.
        seconds: in which they have to be done.
        peak: the busiest of these seconds beside the average.
    """

    units: float
    seconds: float
    peak: float


def growth(costs: Sequence[Cost]) -> float:
    """Return the exponent of the cost per unit between the two largest sizes.

    It is 0 for one size, and where nothing was to be seen of a cost, which noise may do.
    """
    before, last = _two_largest(costs)
    if before.size == last.size or min(before.each, last.each) <= 0:
        return 0.0
    return math.log(last.each / before.each) / math.log(last.size / before.size)


def line(costs: Sequence[Cost], units: float) -> float:
    """Return the seconds of so many units on the straight line through the two largest sizes.

    For what does its units in one go, once: what it takes before the first does not multiply.
    """
    before, last = _two_largest(costs)
    if before.size == last.size:
        return units * last.each
    took = last.each * last.size
    slope = (took - before.each * before.size) / (last.size - before.size)
    return took + max(0.0, slope) * (units - last.size)


def _two_largest(costs: Sequence[Cost]) -> tuple[Cost, Cost]:
    ordered = sorted(costs, key=lambda cost: cost.size)
    return ordered[-2:][0], ordered[-1]


def sizes(events: float, given: Assumptions) -> dict[str, float]:
    """Return what stages grow with, at so many events a day."""
    users = events / given.events_a_user_day * given.users_a_month
    return {
        "stored events": events * given.stored_days,
        "users": users,
        SCORES: users * SCORES_A_USER,
    }


def demands(events: float, given: Assumptions) -> dict[str, Demand]:
    """Return what each stage has to do in a day, by the stage's unit and name."""

    def online(units: float) -> Demand:
        return Demand(units, SECONDS_A_DAY, given.peak)

    scores = Demand(sizes(events, given)[SCORES], given.night_hours * 3600, 1.0)
    return {
        "collecting, one event a request": online(events),
        "collecting, 100 events a request": online(events),
        "raw to clean": online(events),
        "taking in": online(events),
        "dbt": online(events),
        "publishing": online(events),
        MICRO_BATCH: Demand(SECONDS_A_DAY / given.batch_seconds, SECONDS_A_DAY, 1.0),
        "training": scores,
        "segments": scores,
        "making lists": scores,
        "a click and the list after it": online(events * given.lists_an_event),
        "evaluating a flag": online(events * given.flags_an_event),
        "reading a user's features": online(events * given.reads_an_event),
        "dashboard page, first": online(given.pages_a_day),
    }


def cores(costs: Sequence[Cost], events: float, given: Assumptions) -> tuple[float, float] | None:
    """Return how many cores a stage needs, at the largest size's cost and if that went on growing.

    Cores = units * seconds each / seconds there are * peak / utilisation. Of what is done in one go
    the seconds are those of a straight line; a micro-batch's look at what is stored grows by
    `batch_scan`. None where the stage is not part of a day, such as a score that is computed whole.
    """
    last = max(costs, key=lambda cost: cost.size)
    demand = demands(events, given).get(last.stage)
    if demand is None:
        return None

    def needed(spent: float) -> float:
        return spent / demand.seconds * demand.peak / given.utilisation

    if last.grows_with == SCORES:
        at_once = needed(line(costs, demand.units))
        return at_once, at_once
    flat = needed(demand.units * last.each)
    there = sizes(events, given).get(last.grows_with)
    if there is None or there <= last.size or last.stage in LOOKED_UP:
        return flat, flat
    if last.stage == MICRO_BATCH:
        scanned = (there - last.size) / A_MILLION * given.batch_scan
        return flat, needed(demand.units * (last.each + scanned))
    return flat, flat * (there / last.size) ** max(0.0, growth(costs))


def dagster_cores(given: Assumptions) -> float:
    """Return what the runs of micro-batches take beside their events, whatever their number."""
    return given.batch_cpu / given.batch_seconds / given.utilisation


def formula(given: Assumptions) -> list[str]:
    """Return the assumptions as lines of text."""
    return [f"{each.name} = {getattr(given, each.name):g}" for each in fields(given)]
