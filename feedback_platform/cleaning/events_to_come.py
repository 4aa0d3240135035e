"""What cleaning will make of a few received lines, for whoever cannot wait for it.

By the same definitions, in the same order: what is an event here will be one in the layers, with
the same id, user and time, and what is refused or of somebody erased will be none there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning.erased_events import happened, typed_erased
from feedback_platform.cleaning.reading import parse_raw_object
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.cleaning.validation import is_refused
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.tombstones import Tombstones

_NOT_STORED: Final = "awaited"


def events_to_come(
    lines: bytes, received_at: datetime, mapping: EventMapping, tombstones: Tombstones
) -> pl.DataFrame:
    """Return the events of some lines: event_id, event_type, user_id, anonymous_id, properties.

    Beside them `occurred_at`, by the platform's clock. Of an event that comes twice the first.

    Args:
        lines: received ones, each with its end and with an id of its own.
        received_at: UTC; the hour in which they are stored.
        mapping: what the names of events mean.
        tombstones: who was erased.
    """
    key = keys.raw_object(received_at, _NOT_STORED, _NOT_STORED)
    events = typed_events([parse_raw_object(key, lines, mapping).texts])
    refused = nw.from_native(events.lazy()).select(is_refused().alias("is_refused"))
    is_out = refused.to_native().collect(engine="in-memory").to_series()
    is_out |= typed_erased(events, tombstones)
    return (
        events.filter(~is_out)
        .unique(c.EVENT_ID, keep="first", maintain_order=True)
        .select(
            c.EVENT_ID,
            c.EVENT_TYPE,
            c.USER_ID,
            c.ANONYMOUS_ID,
            c.PROPERTIES,
            happened().alias(c.OCCURRED_AT),
        )
    )
