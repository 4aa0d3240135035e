"""Telling another system of an adjustment: a signed POST, as Standard Webhooks describes it.

The id of the message is that of the adjustment, with `-undone` behind it when it is taken back, so
that a receiver drops what it has seen: a call that is repeated has the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import orjson

from feedback_platform.adjustment.rules.changes import CannotChangeError, Cause, Change
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.outgoing.posting import WebhookError, WebhookRefusedError, tell
from feedback_platform.outgoing.signing import signed_headers

# All calls of a run together: what is published waits for them.
BUDGET_SECONDS: Final = 30.0
CALLED: Final = "called"

_SETTING: Final = "FEEDBACK_WEBHOOK_URL"


@dataclass(frozen=True)
class Receiver:
    """Who is told, and the secret that signs what they are told."""

    url: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def host(self) -> str:
        """The host, which may be shown; the rest of a URL may hold a secret."""
        return urlsplit(self.url).hostname or ""


class WebhookChanger:
    """Calls the receiver; after a failure that may pass, or when it took too long, no more.

    The next run has another one, which begins with what this one left.

    Args:
        receiver: whom.
        now: the clock.
        seconds: returns those that passed since some time.
    """

    def __init__(
        self,
        receiver: Receiver,
        now: Callable[[], datetime],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receiver = receiver
        self._now = now
        self._seconds = seconds
        self._left = BUDGET_SECONDS

    def plan(self, action: Action) -> Change:
        """Return whom would be told."""
        return Change(action.kind, self._receiver.host, "", CALLED)

    def make(self, change: Change, cause: Cause) -> None:
        """Tell of the adjustment."""
        self._tell(change, cause, "adjustment.applied", cause.adjustment_id)

    def take_back(self, change: Change, cause: Cause) -> None:
        """Tell that it is taken back."""
        self._tell(change, cause, "adjustment.undone", f"{cause.adjustment_id}-undone")

    def _tell(self, change: Change, cause: Cause, event: str, message_id: str) -> None:
        body = orjson.dumps(
            {
                "type": event,
                "timestamp": self._now(),
                "data": {
                    "adjustment_id": cause.adjustment_id,
                    "rule": cause.rule,
                    "scope": cause.scope,
                    "reason": cause.why,
                    "action": Kind(change.kind).value,
                },
            }
        )
        if self._left <= 0:
            raise WebhookError(
                f"The webhook at {self._receiver.host} is not called any more in this run."
            )
        began = self._seconds()
        try:
            self._post(body, message_id)
        except WebhookError:
            self._left = 0
            raise
        finally:
            self._left -= self._seconds() - began

    def _post(self, body: bytes, message_id: str) -> None:
        headers = signed_headers(self._receiver.secret, message_id, self._now(), body)
        try:
            tell(self._receiver.url, body, headers, _SETTING)
        except WebhookRefusedError as error:
            raise CannotChangeError(str(error)) from None
