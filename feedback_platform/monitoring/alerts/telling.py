"""Telling everybody what they do not know yet, at least once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from feedback_platform.monitoring.alerts.book import Alert, Book, Entry, Failed, Told
from feedback_platform.monitoring.alerts.destinations import Destination
from feedback_platform.monitoring.alerts.ledger import AlertLedger
from feedback_platform.outgoing.posting import WebhookError, WebhookRefusedError


def tell_all(
    ledger: AlertLedger, destinations: Sequence[Destination], now: Callable[[], datetime]
) -> list[str]:
    """Tell each destination what it does not know; return what went wrong.

    The news is noted after it was taken: who dies between tells it twice. A destination that does
    not answer gets no more in this round, and is left alone for longer after each failure.

    Args:
        ledger: of the alerts.
        destinations: whom.
        now: the clock (UTC).
    """
    problems: list[str] = []
    for destination in destinations:
        for alert in list(ledger.book.alerts.values()):
            if not alert.is_due(destination.name, now()):
                continue
            outcome = _told(destination, alert, now)
            ledger.write(_noted(outcome))
            if outcome.problem:
                problems.append(outcome.problem)
            if isinstance(outcome, Failed):
                break
    return problems


def _told(destination: Destination, alert: Alert, now: Callable[[], datetime]) -> Told | Failed:
    try:
        destination.tell(alert, now())
    except WebhookError as error:
        return Failed(alert.alert_id, destination.name, now(), str(error))
    except WebhookRefusedError as error:
        return Told(alert.alert_id, destination.name, alert.news, str(error))
    return Told(alert.alert_id, destination.name, alert.news)


def _noted(outcome: Told | Failed) -> Callable[[Book], Sequence[Entry]]:
    return lambda _: [outcome]
