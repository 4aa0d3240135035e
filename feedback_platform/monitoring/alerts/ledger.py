"""The ledger of alerts in the lake: append-only, so that several processes may watch and tell.

Who meets another's entry under the number of its own reads on, and decides again: so an alert is
raised once, whoever finds what is wrong.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.numbered_ledger import Form, NumberedLedger
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.alerts.book import Book, Entry, following
from feedback_platform.monitoring.alerts.records import (
    book_from_json,
    book_to_json,
    entry_from_json,
    entry_to_json,
)

ALERTS_SCHEMA: Final = pl.Schema(
    {
        "alert_id": pl.String(),
        "kind": pl.String(),
        "subject": pl.String(),
        "message": pl.String(),
        "severity": pl.String(),
        "raised_at": pl.Datetime("us", "UTC"),
        "resolved_at": pl.Datetime("us", "UTC"),
    }
)
_FORM: Final = Form(
    empty=Book(),
    following=following,
    entry=keys.alert_entry,
    book=keys.alert_book(),
    entry_to_json=entry_to_json,
    entry_from_json=entry_from_json,
    book_to_json=book_to_json,
    book_from_json=book_from_json,
)


class AlertLedger(NumberedLedger[Book, Entry]):
    """The ledger as one writer knows it."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake, _FORM)


def read_alerts(lake: Lake) -> Book:
    """Return what the entries come to."""
    return AlertLedger(lake).book


def alerts_table(book: Book) -> pl.DataFrame:
    """Return the rows of `metrics.alerts`, in the order in which they were raised."""
    rows = [
        {
            "alert_id": alert.alert_id,
            "kind": alert.condition.kind.value,
            "subject": alert.condition.subject,
            "message": alert.condition.message,
            "severity": alert.condition.severity.value,
            "raised_at": alert.raised_at,
            "resolved_at": alert.resolved_at,
        }
        for alert in book.alerts.values()
    ]
    return pl.DataFrame(rows, schema=ALERTS_SCHEMA)
