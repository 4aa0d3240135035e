"""What is known of alerts, and what follows from what is found to be wrong now.

An alert stands for one thing that is wrong, by kind and subject, from when it is first found until
it is not found any more. However often it is found meanwhile, it is told once; then, that it is
over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# Of those that are over, so many are kept for the table.
MOST_RESOLVED: Final = 1_000
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)


class Kind(StrEnum):
    """What may be wrong."""

    RUN_FAILURE = "run_failure"
    STALE_TABLE = "stale_table"
    DRIFT = "drift"
    SAMPLE_RATIO = "sample_ratio"
    QUARANTINE = "quarantine"
    TEST = "test"


class Severity(StrEnum):
    """Whether somebody has to do something, or should know."""

    ERROR = "error"
    WARNING = "warning"


class News(StrEnum):
    """What there is to tell of an alert."""

    RAISED = "raised"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Condition:
    """Something that is wrong now.

    Attributes:
        kind: of what.
        subject: what it is about: a job, a table, a stream, an experiment.
        message: a sentence with the figures.
        severity: how much it matters.
    """

    kind: Kind
    subject: str
    message: str
    severity: Severity


@dataclass(frozen=True)
class Telling:
    """How far one destination knows of an alert.

    Attributes:
        told: the newest that it took; None before the first.
        failures: attempts in a row that failed.
        tried_at: when the last of them was made (UTC).
        problem: what it said; with a `told`, it refused for good and is not asked again.
    """

    told: News | None = None
    failures: int = 0
    tried_at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True)
class Alert:
    """Something that is or was wrong.

    Attributes:
        alert_id: its own.
        condition: what was found first.
        raised_at, resolved_at: from when until when (UTC); None while it stands.
        tellings: by destination.
    """

    alert_id: str
    condition: Condition
    raised_at: datetime
    resolved_at: datetime | None = None
    tellings: Mapping[str, Telling] = field(default_factory=dict)

    @property
    def news(self) -> News:
        """The newest there is to tell."""
        return News.RAISED if self.resolved_at is None else News.RESOLVED

    def is_due(self, destination: str, now: datetime) -> bool:
        """Return whether a destination is to be told now: it does not know, and had its rest.

        What is over is told to those who were told, or should have been, that it began: a new
        destination does not hear of the past.
        """
        telling = self.tellings.get(destination)
        if telling is None:
            return self.news is News.RAISED
        if telling.told is self.news:
            return False
        if telling.tried_at is None:
            return True
        wait = min(FIRST_WAIT * 2 ** min(telling.failures - 1, 20), LONGEST_WAIT)
        return now >= telling.tried_at + wait


@dataclass(frozen=True)
class Raised:
    """An alert begins."""

    alert_id: str
    condition: Condition
    at: datetime


@dataclass(frozen=True)
class Resolved:
    """An alert is over."""

    alert_id: str
    at: datetime


@dataclass(frozen=True)
class Told:
    """A destination took the news, or refused it for good, for a reason."""

    alert_id: str
    destination: str
    news: News
    problem: str = ""


@dataclass(frozen=True)
class Failed:
    """A destination could not be told; it is tried again."""

    alert_id: str
    destination: str
    at: datetime
    problem: str


Entry = Raised | Resolved | Told | Failed


@dataclass(frozen=True)
class Book:
    """What the entries come to.

    Attributes:
        sequence: how many there were.
        alerts: by id, in the order in which they were raised.
    """

    sequence: int = 0
    alerts: Mapping[str, Alert] = field(default_factory=dict)

    @property
    def standing(self) -> list[Alert]:
        """Those that are not over."""
        return [alert for alert in self.alerts.values() if alert.resolved_at is None]


def following(book: Book, entry: Entry) -> Book:
    """Return the book after one more entry; one about an alert that is not known says nothing."""
    alerts = dict(book.alerts)
    if isinstance(entry, Raised):
        alerts[entry.alert_id] = Alert(entry.alert_id, entry.condition, entry.at)
    elif entry.alert_id in alerts:
        alerts[entry.alert_id] = _changed(alerts[entry.alert_id], entry)
    over = [alert.alert_id for alert in alerts.values() if alert.resolved_at is not None]
    for alert_id in over[:-MOST_RESOLVED]:
        del alerts[alert_id]
    return Book(book.sequence + 1, alerts)


def what_changed(
    book: Book, found: Iterable[Condition], looked_for: Collection[Kind], now: datetime
) -> list[Raised | Resolved]:
    """Return the alerts that begin and those that are over.

    Args:
        book: what is known.
        found: all that is wrong of the kinds that were looked for.
        looked_for: an alert of another kind goes on, as nobody looked.
        now: UTC.
    """
    wrong = {(each.kind, each.subject): each for each in found}
    standing = {(each.condition.kind, each.condition.subject): each for each in book.standing}
    begun = [
        Raised(_alert_id(condition, now), condition, now)
        for place, condition in wrong.items()
        if place not in standing
    ]
    over = [
        Resolved(alert.alert_id, now)
        for place, alert in standing.items()
        if alert.condition.kind in looked_for and place not in wrong
    ]
    return [*begun, *over]


def _changed(alert: Alert, entry: Resolved | Told | Failed) -> Alert:
    if isinstance(entry, Resolved):
        return replace(alert, resolved_at=alert.resolved_at or entry.at)
    before = alert.tellings.get(entry.destination, Telling())
    if isinstance(entry, Told):
        after = Telling(told=entry.news, problem=entry.problem)
    else:
        after = replace(
            before, failures=before.failures + 1, tried_at=entry.at, problem=entry.problem
        )
    return replace(alert, tellings={**alert.tellings, entry.destination: after})


def _alert_id(condition: Condition, now: datetime) -> str:
    identity = f"{condition.kind}:{condition.subject}:{now.isoformat()}"
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
