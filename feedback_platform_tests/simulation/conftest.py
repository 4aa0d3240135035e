from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date

import polars as pl
import pytest

from feedback_platform.events.contract import FIELDS
from feedback_platform.simulation import Simulation, SimulationParameters, simulate

FIRST_DAY = date(2026, 1, 5)
SHIFT_DAY = 14


@dataclass(frozen=True)
class Received:
    """A simulation, and its events as somebody else's JSON reader sees them.

    Attributes:
        lines: every readable line, all fields as text.
        events: the good ones, once each.
    """

    simulation: Simulation
    lines: pl.DataFrame
    events: pl.DataFrame


def received(simulation: Simulation) -> Received:
    # No line but a truncated one ends without its closing brace.
    whole = simulation.lines["line"].filter(simulation.lines["line"].str.ends_with("}"))
    schema = dict.fromkeys(FIELDS, pl.String)
    lines = pl.read_ndjson(io.StringIO("\n".join(whole)), schema=schema)
    assert lines.height == len(whole)
    number = pl.col("value").cast(pl.Float64, strict=False)
    is_good = (
        (pl.col("event_type") != "item_hovered")
        & ~((pl.col("event_type") == "item_rated") & (number == 11))
        & pl.col("event_id").is_not_null()
        & (pl.col("user_id").is_not_null() | (pl.col("event_type") == "item_updated"))
        & (pl.col("occurred_at").str.starts_with("20"))
        & (pl.col("value").is_null() | number.is_not_null())
    )
    events = (
        lines.filter(is_good)
        .unique("event_id", keep="first", maintain_order=True)
        .with_columns(
            pl.col("value", "propensity").cast(pl.Float64),
            pl.col("position").cast(pl.Int64),
            pl.col("occurred_at", "sent_at", "received_at").str.to_datetime(
                "%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms"
            ),
        )
    )
    return Received(simulation, lines, events)


@pytest.fixture(scope="session")
def quiet() -> Received:
    """The demo: 2,000 users, 28 days, nothing changes."""
    return received(simulate(SimulationParameters(first_day=FIRST_DAY)))


@pytest.fixture(scope="session")
def shifted() -> Received:
    """Tastes shift in the middle."""
    parameters = SimulationParameters(first_day=FIRST_DAY, taste_shift_day=SHIFT_DAY)
    return received(simulate(parameters))


@pytest.fixture(scope="session")
def small() -> Simulation:
    return simulate(SimulationParameters(first_day=FIRST_DAY, users=40, days=3, seed=7))
