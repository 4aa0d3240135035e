"""The simulation itself: parameters in, the lines that a collector received out."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.simulation import bad_rows, delivery, dirt
from feedback_platform.simulation.bad_rows import BAD_ROW, LINE, BadRow
from feedback_platform.simulation.behaviour import Behaviour
from feedback_platform.simulation.exposure import Layout, Policy, expose
from feedback_platform.simulation.parameters import SimulationParameters, Stream, random_stream
from feedback_platform.simulation.population import planted_groups, populate
from feedback_platform.simulation.visits import DAY_MS, visit


@dataclass(frozen=True)
class PlantedDirt:
    """How much of each kind of dirt is in the received lines.

    Attributes:
        duplicates: lines that repeat an earlier one's event.
        missing_dwell, dwell_outliers, late_events: events, repetitions not counted.
        skewed_users: users whose clock is wrong.
        bad_rows: lines that break the contract, by what is wrong with them.
    """

    duplicates: int
    missing_dwell: int
    dwell_outliers: int
    late_events: int
    skewed_users: int
    bad_rows: dict[BadRow, int]


@dataclass(frozen=True)
class Simulation:
    """What a collector received.

    Attributes:
        parameters: what it follows from.
        lines: `received_at` (UTC, milliseconds) and `line`, in the order of reception; bad rows
            and duplicates are among them.
        planted: how much dirt is in the lines.
    """

    parameters: SimulationParameters
    lines: pl.DataFrame
    planted: PlantedDirt

    @property
    def truth(self) -> pl.DataFrame:
        """The group planted in each user, `user_id` and `group`; the lines do not tell it."""
        return planted_groups(self.parameters.users, self.parameters.seed)


def simulate(parameters: SimulationParameters) -> Simulation:
    """Simulate users, and what of their doings has reached the collector when the last day ends.

    What is late or repeated then would be received after the end, and is left out.
    """
    events = _events(parameters)
    random = random_stream(parameters.seed, Stream.DIRT)
    clocks, skewed_users = dirt.clock_errors(
        planted_groups(parameters.users, parameters.seed)[c.USER_ID], parameters.dirt, random
    )
    events = dirt.spoil_dwell(events, parameters.dirt, random)
    events = dirt.delay(events, parameters.dirt, random)
    events = dirt.repeat(events, parameters.dirt, random)
    events = events.filter(pl.col(delivery.RECEIVED_MS) < parameters.days * DAY_MS)
    texts = delivery.to_text(dirt.skew(events, clocks), parameters)
    random = random_stream(parameters.seed, Stream.BAD_ROWS)
    texts = bad_rows.add_bad_rows(texts, parameters, random).sort(
        delivery.RECEIVED_MS, delivery.NUMBER
    )
    received = bad_rows.truncate(texts.with_columns(delivery.to_lines(texts).alias(LINE)), random)
    start = pl.lit(parameters.start).dt.cast_time_unit("ms")
    since = pl.duration(milliseconds=pl.col(delivery.RECEIVED_MS), time_unit="ms")
    return Simulation(
        parameters=parameters,
        lines=received.select((start + since).alias(c.RECEIVED_AT), LINE),
        planted=_count(received, skewed_users),
    )


def _events(parameters: SimulationParameters) -> pl.DataFrame:
    """Return what happened and when a flawless network would have delivered it."""
    seed = parameters.seed
    population = populate(parameters)
    sessions = visit(parameters, population, random_stream(seed, Stream.VISITS))
    policy = Policy()
    layout = Layout(population, policy)
    impressions = expose(sessions, layout, policy, random_stream(seed, Stream.EXPOSURE))
    behaviour = Behaviour(population, sessions, random_stream(seed, Stream.BEHAVIOUR))
    happenings = behaviour.happenings(impressions, layout)
    random = random_stream(seed, Stream.DELIVERY)
    named = delivery.name_events(parameters, population, sessions, happenings, random)
    return delivery.send(named, random)


def _count(received: pl.DataFrame, skewed_users: int) -> PlantedDirt:
    good = received.filter(pl.col(BAD_ROW).is_null())
    first = good.filter(~pl.col(dirt.REPEATED))
    kinds = dict(received[BAD_ROW].drop_nulls().value_counts().iter_rows())
    return PlantedDirt(
        duplicates=good.height - first.height,
        missing_dwell=int(first[dirt.DWELL_LOST].sum()),
        dwell_outliers=int(first[dirt.DWELL_ABSURD].sum()),
        late_events=int(first[dirt.LATE].sum()),
        skewed_users=skewed_users,
        bad_rows={kind: kinds.get(kind.value, 0) for kind in BadRow},
    )
