"""The ledger's entries and the book as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from feedback_platform.adjustment.rules import entries
from feedback_platform.adjustment.rules.book import Adjustment, Book, Status
from feedback_platform.adjustment.rules.changes import Change
from feedback_platform.adjustment.rules.decision import Arm
from feedback_platform.adjustment.rules.definition import Guard, Kind, OnExpiry, Watch, scope_of
from feedback_platform.adjustment.rules.entries import Entry

_KINDS: Final[dict[str, type[Any]]] = {
    "intended": entries.Intended,
    "made": entries.Made,
    "failed": entries.Failed,
    "kept": entries.Kept,
    "undoing": entries.Undoing,
    "undone": entries.Undone,
    "rearmed": entries.Rearmed,
}
_TIMES: Final = frozenset(
    {
        "changed_at", "cooldown_until", "intended_at", "at", "undoing_at", "undone_at", "until",
        "since",
    }
)  # fmt: skip
_STATES: Final = frozenset({"status", "becomes"})


def entry_to_json(entry: Entry, writer: str) -> bytes:
    """Return an entry as it is kept; the writer makes it nobody else's."""
    kind = next(name for name, each in _KINDS.items() if isinstance(entry, each))
    return orjson.dumps({"kind": kind, "writer": writer, **_fields(entry)})


def entry_from_json(content: bytes) -> Entry:
    """Return an entry that was kept."""
    given = orjson.loads(content)
    del given["writer"]
    kind = _KINDS[given.pop("kind")]
    if kind is entries.Intended:
        return entries.Intended(_adjustment(given["adjustment"]))
    entry: Entry = kind(**_restored(given))
    return entry


def book_to_json(book: Book) -> bytes:
    """Return a book as it is kept."""
    return orjson.dumps(
        {
            "sequence": book.sequence,
            "adjustments": [_fields(each) for each in book.adjustments.values()],
            "arms": [[rule, scope, asdict(arm)] for (rule, scope), arm in book.arms.items()],
        }
    )


def book_from_json(content: bytes) -> Book:
    """Return a book that was kept."""
    given = orjson.loads(content)
    adjustments = [_adjustment(each) for each in given["adjustments"]]
    return Book(
        sequence=given["sequence"],
        adjustments={each.adjustment_id: each for each in adjustments},
        arms={(rule, scope): Arm(**_restored(arm)) for rule, scope, arm in given["arms"]},
    )


def _fields(record: Any) -> dict[str, Any]:
    """Return the fields of a record, in types that JSON knows."""
    return {each.name: _plain(getattr(record, each.name)) for each in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Adjustment | Change | Watch | Guard):
        return _fields(value)
    return value


def _restored(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with their times and states."""
    return {name: _value(name, value) for name, value in given.items()}


def _value(name: str, value: Any) -> Any:
    if value is not None and name in _TIMES:
        return datetime.fromisoformat(value)
    return Status(value) if value is not None and name in _STATES else value


def _adjustment(given: Mapping[str, Any]) -> Adjustment:
    change, watch = dict(given["change"]), dict(given["watch"])
    change["kind"] = Kind(change["kind"])
    expires = watch["expires_after"]
    return Adjustment(
        **{
            **_restored(given),
            "change": Change(**change),
            "watch": Watch(
                guards=tuple(
                    Guard(
                        **{
                            **guard,
                            "scope": scope_of(guard["scope"]),
                            "window": timedelta(seconds=guard["window"]),
                        }
                    )
                    for guard in watch["guards"]
                ),
                expires_after=None if expires is None else timedelta(seconds=expires),
                on_expiry=OnExpiry(watch["on_expiry"]),
            ),
        }
    )
