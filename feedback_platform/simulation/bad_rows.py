"""Lines that no contract accepts: what broken senders, proxies and old clients really send."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.simulation.delivery import NUMBER, event_ids
from feedback_platform.simulation.parameters import SimulationParameters


class BadRow(StrEnum):
    """What is wrong with a bad row."""

    TRUNCATED_JSON = "truncated_json"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    RATING_OUT_OF_RANGE = "rating_out_of_range"
    MISSING_EVENT_ID = "missing_event_id"
    MISSING_USER = "missing_user"
    UNPARSABLE_TIMESTAMP = "unparsable_timestamp"
    TEXT_FOR_NUMBER = "text_for_number"


BAD_ROW: Final = "bad_row"
LINE: Final = "line"

# A truncated line keeps between these shares of itself.
_SHORTEST_CUT: Final = 0.2
_LONGEST_CUT: Final = 0.9

# What replaces the right text of a field; null leaves the field out.
_FAULTS: Final[dict[BadRow, dict[str, str | None]]] = {
    BadRow.UNKNOWN_EVENT_TYPE: {c.EVENT_TYPE: "item_hovered"},
    BadRow.RATING_OUT_OF_RANGE: {c.EVENT_TYPE: "item_rated", c.VALUE: "11"},
    BadRow.MISSING_EVENT_ID: {c.EVENT_ID: None},
    BadRow.MISSING_USER: {c.USER_ID: None},
    BadRow.UNPARSABLE_TIMESTAMP: {c.OCCURRED_AT: "yesterday, around noon"},
    BadRow.TEXT_FOR_NUMBER: {c.EVENT_TYPE: "item_viewed", c.VALUE: '"a while"'},
}


def add_bad_rows(
    texts: pl.DataFrame, parameters: SimulationParameters, random: np.random.Generator
) -> pl.DataFrame:
    """Return the events and, beside them, bad rows made from copies of impressions.

    The good events all stay, so that what is accepted and what is refused add up. A bad row has an
    event id of its own, unless a missing one is what is wrong with it.

    Args:
        texts: the events of `delivery.to_text`.
        parameters: for the rate, and the ids.
        random: which impressions, and what is wrong.
    """
    models = np.flatnonzero((texts[c.EVENT_TYPE] == "item_impression").to_numpy())
    count = random.binomial(texts.height, parameters.dirt.bad_row_rate) if len(models) else 0
    kinds = pl.Series(BAD_ROW, [kind.value for kind in BadRow], dtype=pl.String)
    bad = texts[np.sort(random.choice(models, count)) if count else models[:0]]
    first = texts.select(pl.col(NUMBER).max()).item() + 1
    numbers = pl.Series(NUMBER, np.arange(first, first + count), dtype=texts[NUMBER].dtype)
    bad = bad.with_columns(
        numbers,
        event_ids(parameters, numbers).alias(c.EVENT_ID),
        kinds.gather(random.integers(0, len(BadRow), count)),
    )
    for kind, fault in _FAULTS.items():
        bad = bad.with_columns(
            pl.when(pl.col(BAD_ROW) == kind.value)
            .then(pl.lit(text, dtype=pl.String))
            .otherwise(pl.col(field))
            .alias(field)
            for field, text in fault.items()
        )
    good = texts.with_columns(pl.lit(None, dtype=pl.String).alias(BAD_ROW))
    return pl.concat([good, bad.select(good.columns)])


def truncate(lines: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Cut the lines short that are to be no JSON."""
    share = pl.Series(random.uniform(_SHORTEST_CUT, _LONGEST_CUT, lines.height))
    kept = (pl.col(LINE).str.len_chars() * share).cast(pl.Int64)
    is_cut = pl.col(BAD_ROW) == BadRow.TRUNCATED_JSON.value
    return lines.with_columns(
        pl.when(is_cut).then(pl.col(LINE).str.slice(0, kept)).otherwise(pl.col(LINE)).alias(LINE)
    )
