"""The ledger's entries and what they come to, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import orjson

from feedback_platform.monitoring.alerts.book import (
    Alert,
    Book,
    Condition,
    Entry,
    Failed,
    Kind,
    News,
    Raised,
    Resolved,
    Severity,
    Telling,
    Told,
)

_NAMES: Final[dict[type, str]] = {
    Raised: "raised",
    Resolved: "resolved",
    Told: "told",
    Failed: "failed",
}


def entry_to_json(entry: Entry, writer: str) -> bytes:
    """Return an entry as it is stored; the writer tells equal entries of two apart."""
    return orjson.dumps({"entry": _NAMES[type(entry)], "writer": writer, **asdict(entry)})


def entry_from_json(content: bytes) -> Entry:
    """Read an entry."""
    stored = orjson.loads(content)
    name, alert_id = stored["entry"], stored["alert_id"]
    if name == "raised":
        return Raised(alert_id, _condition(stored["condition"]), _time(stored["at"]))
    if name == "resolved":
        return Resolved(alert_id, _time(stored["at"]))
    if name == "told":
        return Told(alert_id, stored["destination"], News(stored["news"]), stored["problem"])
    return Failed(alert_id, stored["destination"], _time(stored["at"]), stored["problem"])


def book_to_json(book: Book) -> bytes:
    """Return a book as it is kept."""
    alerts = [asdict(alert) for alert in book.alerts.values()]
    return orjson.dumps({"sequence": book.sequence, "alerts": alerts})


def book_from_json(content: bytes) -> Book:
    """Read a book."""
    stored = orjson.loads(content)
    alerts = [_alert(each) for each in stored["alerts"]]
    return Book(stored["sequence"], {alert.alert_id: alert for alert in alerts})


def _alert(stored: dict[str, Any]) -> Alert:
    over = stored["resolved_at"]
    return Alert(
        stored["alert_id"],
        _condition(stored["condition"]),
        _time(stored["raised_at"]),
        None if over is None else _time(over),
        {name: _telling(each) for name, each in stored["tellings"].items()},
    )


def _telling(stored: dict[str, Any]) -> Telling:
    told, tried = stored["told"], stored["tried_at"]
    return Telling(
        None if told is None else News(told),
        stored["failures"],
        None if tried is None else _time(tried),
        stored["problem"],
    )


def _condition(stored: dict[str, Any]) -> Condition:
    return Condition(
        Kind(stored["kind"]), stored["subject"], stored["message"], Severity(stored["severity"])
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
