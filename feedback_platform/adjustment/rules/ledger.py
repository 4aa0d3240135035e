"""The ledger of adjustments in the lake: append-only, one entry after the other.

Who meets another's entry under the number of its own knows too little, and begins again with what
it says: so a rule fires once for one breach.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

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
from feedback_platform.lake.numbered_ledger import Form, NumberedLedger
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
_FORM: Final = Form(
    empty=Book(),
    following=following,
    entry=keys.adjustment_entry,
    book=keys.adjustment_book(),
    entry_to_json=entry_to_json,
    entry_from_json=entry_from_json,
    book_to_json=book_to_json,
    book_from_json=book_from_json,
)


class LedgerConflictError(TransientError):
    """Another process wrote into the ledger meanwhile; the next attempt begins with what it did."""

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"Another process wrote entry {sequence} of the ledger of adjustments meanwhile. "
            "Start again to go on from there."
        )


class Ledger(NumberedLedger[Book, Entry]):
    """The ledger as one writer knows it."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake, _FORM)

    def append(self, entry: Entry) -> None:
        """Write an entry behind the newest that this writer knows.

        Raises:
            LedgerConflictError: somebody else wrote one there.
        """
        try:
            super().append(entry)
        except LakeObjectExistsError as error:
            raise LedgerConflictError(self.book.sequence + 1) from error


def read_book(lake: Lake) -> Book:
    """Return what the entries come to."""
    return Ledger(lake).book


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
