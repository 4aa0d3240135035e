"""What every reader of a data set returns: raw events, checked, ready to be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from feedback_platform.events import columns as c


@dataclass(frozen=True, eq=False)
class ImportedEvents:
    """A data set as raw events, whole and valid, before anything of it is stored.

    Attributes:
        name: which data set it is; lower-case letters, digits and dashes.
        fingerprint: hash of the lines; the same content has the same one, wherever it comes from.
        lines: one JSON object an event, without `received_at` and `sent_at`.
        counts: number of events of each type.
    """

    name: str
    fingerprint: str
    lines: pl.Series = field(repr=False)
    counts: Mapping[str, int]


def imported_events(name: str, frames: Sequence[pl.DataFrame]) -> ImportedEvents:
    """Join the events that a reader built.

    Args:
        name: which data set it is.
        frames: columns `event_type` and `line`, in the order in which they are stored.
    """
    events = pl.concat([frame.select(c.EVENT_TYPE, "line") for frame in frames])
    return ImportedEvents(name, _fingerprint(events["line"]), events["line"], _counted(events))


def json_lines(events: pl.DataFrame, properties: pl.Expr) -> pl.DataFrame:
    """Write events as JSON.

    Args:
        events: canonical fields only; timestamps are UTC; a column that is null is null in JSON.
        properties: the JSON object of each event's properties, as text.

    Returns:
        Columns `event_type` and `line`.
    """
    # A timestamp's own JSON has neither a Z nor an offset.
    fields = events.with_columns(
        pl.col(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
    )
    canonical = pl.struct(fields.columns).struct.json_encode()
    opened = canonical.str.head(-1)
    return fields.with_columns(properties.alias(c.PROPERTIES)).select(
        c.EVENT_TYPE,
        pl.concat_str(opened, pl.lit(f',"{c.PROPERTIES}":'), c.PROPERTIES, pl.lit("}")).alias(
            "line"
        ),
    )


def short_hash(text: str) -> str:
    """Return 16 hexadecimal digits that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def hashed(texts: pl.Series) -> pl.Series:
    """Return the short hash of each text; each different text is hashed once."""
    distinct = texts.unique()
    hashes = pl.Series([short_hash(text) for text in distinct], dtype=pl.String)
    return texts.replace_strict(distinct, hashes, return_dtype=pl.String)


def _fingerprint(lines: pl.Series) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _counted(events: pl.DataFrame) -> dict[str, int]:
    counted = events.group_by(c.EVENT_TYPE).len().sort(c.EVENT_TYPE)
    return {str(name): int(count) for name, count in counted.iter_rows()}
