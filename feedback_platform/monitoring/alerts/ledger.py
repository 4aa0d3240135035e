"""The ledger of alerts in the lake: append-only, so that several processes may watch and tell.

An entry gets the number after the newest one that its writer knows. Who meets another's entry under
that number reads on, and decides again: so an alert is raised once, whoever finds what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from uuid import uuid4

import polars as pl

from feedback_platform.errors import LakeObjectExistsError
from feedback_platform.lake import keys
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


class AlertLedger:
    """The ledger as one writer knows it."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._writer = uuid4().hex
        kept = _kept_book(lake)
        self._kept = kept.sequence
        self.book = _read_on(lake, kept)

    def write(self, decide: Callable[[Book], Sequence[Entry]]) -> None:
        """Write what is decided of the book; it is decided anew when another wrote meanwhile."""
        while True:
            try:
                for entry in decide(self.book):
                    self._append(entry)
            except LakeObjectExistsError:
                self.book = _read_on(self._lake, self.book)
            else:
                return

    def keep_book(self) -> None:
        """Keep what the entries come to, so that the next reader reads those after it alone."""
        if self.book.sequence > self._kept:
            self._lake.put(keys.alert_book(), book_to_json(self.book), mode="overwrite")
            self._kept = self.book.sequence

    def _append(self, entry: Entry) -> None:
        book = following(self.book, entry)
        content = entry_to_json(entry, self._writer)
        self._lake.put(keys.alert_entry(book.sequence), content, mode="create")
        self.book = book


def read_alerts(lake: Lake) -> Book:
    """Return what the entries come to."""
    return _read_on(lake, _kept_book(lake))


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


def _kept_book(lake: Lake) -> Book:
    kept = lake.find(keys.alert_book())
    return book_from_json(kept) if kept else Book()


def _read_on(lake: Lake, book: Book) -> Book:
    after = keys.alert_entry(book.sequence)
    for key in lake.list_keys(keys.alert_entries(), after=after):
        book = following(book, entry_from_json(lake.get(key)))
    return book
