"""The ledger of adjustments in the lake: append-only, one entry after the other.

An entry gets the number after the newest one that its writer knows. Who meets another's entry under
that number knows too little, and begins again with what it says: so no two writers act on the same
state, and a rule fires once for one breach.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import polars as pl

from feedback_platform.adjustment.rules.book import Adjustment, Book, Status
from feedback_platform.adjustment.rules.entries import Entry, following
from feedback_platform.adjustment.rules.records import (
    book_from_json,
    book_to_json,
    entry_from_json,
    entry_to_json,
)
from feedback_platform.errors import LakeObjectExistsError, TransientError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

ADJUSTMENTS_SCHEMA: Final = pl.Schema(
    {
        "adjustment_id": pl.String(),
        "rule": pl.String(),
        "scope": pl.String(),
        "evidence": pl.String(),
        "action": pl.String(),
        "flag": pl.String(),
        "before": pl.String(),
        "after": pl.String(),
        "status": pl.String(),
        "reason": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "undone_at": pl.Datetime("us", "UTC"),
    }
)
# What the table says of an adjustment; what was never made has no row.
_SHOWN: Final[Mapping[Status, str]] = {
    Status.APPLIED: "applied",
    Status.UNDOING: "applied",
    Status.REVERTED: "reverted",
    Status.EXPIRED: "expired",
}


class LedgerConflictError(TransientError):
    """Another process wrote into the ledger meanwhile; the next attempt begins with what it did."""

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"Another process wrote entry {sequence} of the ledger of adjustments meanwhile. "
            "Start again to go on from there."
        )


class Ledger:
    """The ledger as one writer knows it."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._writer = uuid4().hex
        kept = _kept_book(lake)
        self._kept = kept.sequence
        self.book = _read_on(lake, kept)

    def append(self, entry: Entry) -> None:
        """Write an entry behind the newest that this writer knows.

        Raises:
            LedgerConflictError: somebody else wrote one there.
        """
        book = following(self.book, entry)
        content = entry_to_json(entry, self._writer)
        try:
            self._lake.put(keys.adjustment_entry(book.sequence), content, mode="create")
        except LakeObjectExistsError as error:
            raise LedgerConflictError(book.sequence) from error
        self.book = book

    def keep_book(self) -> None:
        """Keep what the entries come to, so that the next reader reads those after it alone."""
        if self.book.sequence == self._kept:
            return
        self._lake.put(keys.adjustment_book(), book_to_json(self.book), mode="overwrite")
        self._kept = self.book.sequence


def read_book(lake: Lake) -> Book:
    """Return what the entries come to."""
    return _read_on(lake, _kept_book(lake))


def adjustments_table(book: Book) -> pl.DataFrame:
    """Return the rows of `metrics.adjustments`, in the order in which they were decided."""
    rows = [_row(each) for each in book.adjustments.values() if each.status in _SHOWN]
    return pl.DataFrame(rows, schema=ADJUSTMENTS_SCHEMA)


def evidence_of(adjustment: Adjustment) -> dict[str, Any]:
    """Return what was measured when it was decided, and under `guards` what came of it."""
    after = {"guards": adjustment.undo_evidence} if adjustment.undo_evidence else {}
    return {**adjustment.evidence, **after}


def _row(adjustment: Adjustment) -> dict[str, Any]:
    change = adjustment.change
    return {
        "adjustment_id": adjustment.adjustment_id,
        "rule": adjustment.rule,
        "scope": adjustment.scope,
        "evidence": json.dumps(evidence_of(adjustment)),
        "action": change.kind.value,
        "flag": change.subject,
        "before": change.before,
        "after": change.after,
        "status": _SHOWN[adjustment.status],
        "reason": adjustment.reason,
        "at": adjustment.at,
        "undone_at": adjustment.undone_at,
    }


def _kept_book(lake: Lake) -> Book:
    kept = lake.find(keys.adjustment_book())
    return book_from_json(kept) if kept else Book()


def _read_on(lake: Lake, book: Book) -> Book:
    """Return a book with the entries that were written after it."""
    after = keys.adjustment_entry(book.sequence)
    for key in lake.list_keys(keys.adjustment_entries(), after=after):
        book = following(book, entry_from_json(lake.get(key)))
    return book
