"""From what happened to what is sent: names for indices, and the way to the collector."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.simulation.attributes import user_columns
from feedback_platform.simulation.behaviour import AT_MS, ITEM, LIST, PLACEMENT, SESSION
from feedback_platform.simulation.exposure import PLACEMENTS
from feedback_platform.simulation.parameters import SimulationParameters
from feedback_platform.simulation.population import Population
from feedback_platform.simulation.product import catalogue
from feedback_platform.simulation.visits import DAY_MS, Sessions, session_columns

# The number of an event in the order in which things happened.
NUMBER: Final = "number"
# Times on their way, in milliseconds from the start of the simulation.
OCCURRED_MS: Final = "occurred_ms"
SENT_MS: Final = "sent_ms"
RECEIVED_MS: Final = "received_ms"

_WEEK_MS: Final = 7 * DAY_MS
_PROPENSITY_DIGITS: Final = 6
# Places of an event's, session's and list's number in its id.
_ID_DIGITS: Final = 10


@dataclass(frozen=True)
class Network:
    """How long events travel, in milliseconds.

    Attributes:
        longest_batching: clients collect events up to this long before they send them.
        shortest_trip, longest_trip: from the client to the collector.
    """

    longest_batching: int = 3_000
    shortest_trip: int = 20
    longest_trip: int = 400


def name_events(
    parameters: SimulationParameters,
    population: Population,
    sessions: Sessions,
    happenings: pl.DataFrame,
    random: np.random.Generator,
) -> pl.DataFrame:
    """Return the events as a client describes them, in the order in which they happened.

    Returns:
        The contract's columns but for its timestamps, and `number`, `at_ms`.
    """
    items = catalogue()
    updates = pl.DataFrame({ITEM: np.arange(len(items))}).with_columns(
        pl.lit("item_updated").alias(c.EVENT_TYPE), pl.lit(0, pl.Int64).alias(AT_MS)
    )
    table = pl.concat([updates, happenings], how="diagonal").sort(AT_MS, maintain_order=True)
    session = table[SESSION]
    user = pl.Series(sessions.user).gather(session)
    by_user = user_columns(population.groups, random)
    by_session = session_columns(sessions)
    item_properties = [
        json.dumps({"title": item.title, "categories": [item.category]}, separators=(",", ":"))
        for item in items
    ]
    user_properties = by_user[c.PROPERTIES].gather(user)
    event_type = pl.col(c.EVENT_TYPE)
    return (
        table.with_row_index(NUMBER)
        .with_columns(
            _id(parameters, "", pl.col(NUMBER)).alias(c.EVENT_ID),
            population.user_ids.gather(user).alias(c.USER_ID),
            _id(parameters, "s-", pl.col(SESSION)).alias(c.SESSION_ID),
            _id(parameters, "r-", pl.col(LIST)).alias(c.RECOMMENDATION_ID),
            _names([item.item_id for item in items], table[ITEM]).alias(c.ITEM_ID),
            _names([each.name for each in PLACEMENTS], table[PLACEMENT]).alias(c.PLACEMENT),
            pl.col(c.PROPENSITY).round_sig_figs(_PROPENSITY_DIGITS),
            *(by_session[name].gather(session).alias(name) for name in by_session.columns),
            by_user[c.COUNTRY].gather(user).alias(c.COUNTRY),
            pl.when(session.is_not_null())
            .then(pl.format("1.{}.0", pl.col(AT_MS) // _WEEK_MS))
            .alias(c.APP_VERSION),
            pl.when(event_type == "item_updated")
            .then(_names(item_properties, table[ITEM]))
            .when(event_type == "user_updated")
            .then(user_properties)
            .when(event_type == "survey_answered")
            .then(pl.lit('{"survey":"nps"}'))
            .alias(c.PROPERTIES),
        )
        .drop(SESSION, LIST, ITEM, PLACEMENT)
    )


def send(events: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Add when each event occurred, was sent and received, all clocks being right."""
    network = Network()
    batching = random.integers(0, network.longest_batching, events.height)
    return events.with_columns(
        pl.col(AT_MS).alias(OCCURRED_MS),
        (pl.col(AT_MS) + pl.Series(batching)).alias(SENT_MS),
        (pl.col(AT_MS) + pl.Series(batching + trips(events.height, random))).alias(RECEIVED_MS),
    ).drop(AT_MS)


def trips(count: int, random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how long messages travel from a client to the collector, in milliseconds."""
    network = Network()
    return random.integers(network.shortest_trip, network.longest_trip, count)


def to_text(events: pl.DataFrame, parameters: SimulationParameters) -> pl.DataFrame:
    """Return the events with each field as it stands in JSON, without quotes."""
    start = pl.lit(parameters.start).dt.cast_time_unit("ms")
    times = ((c.OCCURRED_AT, OCCURRED_MS), (c.SENT_AT, SENT_MS), (c.RECEIVED_AT, RECEIVED_MS))
    return events.with_columns(
        pl.col(c.VALUE).cast(pl.String).str.strip_suffix(".0"),
        pl.col(c.PROPENSITY).cast(pl.String),
        pl.col(c.POSITION).cast(pl.String),
        *(
            (start + pl.duration(milliseconds=pl.col(ms), time_unit="ms"))
            .dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            .alias(name)
            for name, ms in times
        ),
    )


def to_lines(texts: pl.DataFrame) -> pl.Series:
    """Return each event as a line of JSON; what is null is left out."""
    quoted = (
        c.EVENT_ID, c.EVENT_TYPE, c.USER_ID, c.SESSION_ID, c.ITEM_ID, c.RECOMMENDATION_ID,
        c.PLACEMENT, c.DEVICE_TYPE, c.PLATFORM, c.COUNTRY, c.APP_VERSION, c.OCCURRED_AT, c.SENT_AT,
    )  # fmt: skip
    bare = (c.VALUE, c.POSITION, c.PROPENSITY, c.PROPERTIES)
    fields = [
        *(pl.concat_str(pl.lit(f'"{name}":"'), pl.col(name), pl.lit('",')) for name in quoted),
        *(pl.concat_str(pl.lit(f'"{name}":'), pl.col(name), pl.lit(",")) for name in bare),
    ]
    line = pl.concat_str(
        pl.lit("{"),
        *(field.fill_null("") for field in fields),
        pl.lit(f'"{c.RECEIVED_AT}":"'),
        pl.col(c.RECEIVED_AT),
        pl.lit('"}'),
    )
    return texts.select(line.alias("line")).to_series()


def event_ids(parameters: SimulationParameters, numbers: pl.Series) -> pl.Series:
    """Return the ids of events by their numbers; no other simulation has them."""
    return pl.select(_id(parameters, "", pl.lit(numbers))).to_series()


def _id(parameters: SimulationParameters, prefix: str, number: pl.Expr) -> pl.Expr:
    digits = number.cast(pl.String).str.zfill(_ID_DIGITS)
    return pl.concat_str(pl.lit(prefix + parameters.fingerprint), digits)


def _names(names: list[str], index: pl.Series) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(index)
