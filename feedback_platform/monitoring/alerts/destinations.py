"""Who is told: the log, a webhook that is signed, and whatever takes Slack's messages.

A destination takes the news or raises; it may get the same news twice, and a webhook knows that by
the id of the message. The URL of a Slack hook is its secret, so no text has more of it than the
host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from feedback_platform.monitoring.alerts.book import Alert, News
from feedback_platform.outgoing.posting import tell
from feedback_platform.outgoing.signing import signed_headers

WEBHOOK_SETTING: Final = "FEEDBACK_ALERT_WEBHOOK_URL"
SLACK_SETTING: Final = "FEEDBACK_ALERT_SLACK_URL"
# What Slack takes in one block, and nobody reads on a phone.
LONGEST_TEXT: Final = 2_000


class Destination(Protocol):
    """Somebody who is told."""

    @property
    def name(self) -> str:
        """By which the ledger knows what it was told."""

    def tell(self, alert: Alert, now: datetime) -> None:
        """Tell the newest of an alert.

        Raises:
            WebhookError: it could not be told, for a reason that may pass.
            WebhookRefusedError: it never will take it.
        """


@dataclass(frozen=True)
class Log:
    """Writes a line for each piece of news."""

    write: Callable[[str], Any]
    name: str = "log"

    def tell(self, alert: Alert, now: datetime) -> None:  # noqa: ARG002 - the port's
        """Write the line."""
        self.write(line(alert))


@dataclass(frozen=True)
class Webhook:
    """Posts the news as JSON, signed as Standard Webhooks says."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    name: str = "webhook"

    def tell(self, alert: Alert, now: datetime) -> None:
        """Post the news."""
        condition = alert.condition
        body = orjson.dumps(
            {
                "type": f"alert.{alert.news}",
                "timestamp": now,
                "data": {
                    "alert_id": alert.alert_id,
                    "kind": condition.kind,
                    "subject": condition.subject,
                    "severity": condition.severity,
                    "message": condition.message,
                    "raised_at": alert.raised_at,
                    "resolved_at": alert.resolved_at,
                },
            }
        )
        message_id = f"{alert.alert_id}-{alert.news}"
        tell(self.url, body, signed_headers(self.secret, message_id, now, body), WEBHOOK_SETTING)


@dataclass(frozen=True)
class Slack:
    """Posts the news as an incoming webhook of Slack takes it; Mattermost and others do, too."""

    url: str = field(repr=False)
    name: str = "slack"

    def tell(self, alert: Alert, now: datetime) -> None:  # noqa: ARG002 - the port's
        """Post the news."""
        text = _escaped(line(alert))
        block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
        body = orjson.dumps({"text": text, "blocks": [block]})
        headers = {"Content-Type": "application/json", "User-Agent": "feedback-platform"}
        tell(self.url, body, headers, SLACK_SETTING)


def line(alert: Alert) -> str:
    """Return the news in a line."""
    condition = alert.condition
    about = f"{condition.kind} {condition.subject}: {condition.message}"
    if alert.news is News.RESOLVED:
        text = f"Over since {alert.resolved_at:%Y-%m-%d %H:%M} UTC: {about}"
    else:
        text = f"{condition.severity.capitalize()}: {about}"
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST_TEXT else f"{flat[: LONGEST_TEXT - 1]}…"


def _escaped(text: str) -> str:
    """Return a text of which Slack makes neither links nor calls for somebody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
