"""Why a message or a request is refused, and how that is told."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from feedback_platform.errors import PermanentError


class Reason(StrEnum):
    """Why a single message is refused: answered as a code, or put aside by cleaning."""

    MALFORMED_JSON = "malformed_json"
    INVALID_TYPE = "invalid_type"
    MISSING_FIELD = "missing_field"
    MISSING_USER = "missing_user"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    OUT_OF_RANGE = "out_of_range"
    TOO_LARGE = "too_large"


class Fault(NamedTuple):
    """What is wrong with one message.

    Attributes:
        reason: for programs.
        field: the member that is wrong, as the sender calls it, or None for the whole message.
        text: one sentence for the sender.
    """

    reason: Reason
    field: str | None
    text: str


class RequestRefusedError(PermanentError):
    """A request is answered with an error; none of it is stored.

    Attributes:
        status: the HTTP status.
        code: the kind of error, for programs.
        headers: further headers of the answer.
    """

    def __init__(
        self, status: int, code: str, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.headers = headers

    @classmethod
    def for_fault(cls, fault: Fault, status: int = 400) -> RequestRefusedError:
        """Return the refusal of a request that consists of one faulty message."""
        return cls(status, fault.reason, fault.text)

    @classmethod
    def for_now(cls, text: str, retry_after: int) -> RequestRefusedError:
        """Return a refusal that may be gone after some seconds."""
        return cls(503, "unavailable", text, ((b"retry-after", b"%d" % retry_after),))


class SenderGoneError(PermanentError):
    """The sender closed the connection before its request was complete; nobody waits."""
