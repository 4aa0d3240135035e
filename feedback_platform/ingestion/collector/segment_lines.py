"""Messages of Segment's tracking API as received lines; a faulty one never holds up the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from feedback_platform.events.exact_json import write_exactly
from feedback_platform.events.received import Format, opaque_line, opened_line
from feedback_platform.ingestion.collector.documents import (
    digest_of,
    is_too_deep,
    written,
)
from feedback_platform.ingestion.collector.limits import MAX_DEPTH, MAX_MESSAGE_BYTES
from feedback_platform.ingestion.collector.refusals import Fault, Reason, RequestRefusedError
from feedback_platform.ingestion.collector.segment_messages import fault_of, is_sound

_END: Final = b"}\n"
# The writer puts it between messages as it is. In what it writes itself, a line break is escaped.
_BREAK: Final = orjson.Fragment(b"\n")
_BETWEEN: Final = b",\n,"
_WRITE_KEY: Final = "writeKey"
# In what cannot be read, it can only be looked for.
_WRITE_KEY_MEMBER: Final = re.compile(rb'"writeKey"\s*:\s*"(?:[^"\\]|\\.)*+"?')
_NOT_DECODED: Final = Fault(Reason.MALFORMED_JSON, None, "The message cannot be read.")


def single_line(
    message: Any, body: bytes, kind: str, *, new_id: Callable[[], str], **facts: Any
) -> bytes:
    """Return the received line of a message that came alone.

    Args:
        message: the decoded body.
        body: as it came; kept to the byte where it has its own type, no key and no line break.
        kind: the type that the path named.
        new_id: gives an id to a message without one.
        facts: `received_at`, `source`.

    Raises:
        RequestRefusedError: the message is faulty.
    """
    if not isinstance(message, dict):
        text = "The body is not an object."
        raise RequestRefusedError(400, Reason.INVALID_TYPE, text)
    named = message.get("type", kind)
    fault = None if named == kind and is_sound(message, kind) else fault_of(message, kind)
    if fault is None and is_too_deep(message, body):
        text = f"The message is nested deeper than {MAX_DEPTH} levels."
        fault = Fault(Reason.MALFORMED_JSON, None, text)
    if fault is not None:
        raise RequestRefusedError.for_fault(fault)
    has_key = _WRITE_KEY in message
    opening = opened_line(
        Format.SEGMENT,
        **facts,
        sent_at=_text_or_none(message.get("sentAt")),
        fallback_id=None if message.get("messageId") else new_id(),
    )
    if has_key or "type" not in message or b"\n" in body or b"\r" in body:
        message.pop(_WRITE_KEY, None)
        body = write_exactly({"type": kind, **message})
    return opening + body + _END


class BatchLines:
    """Makes the received lines of one batch; all messages share the facts of the batch."""

    def __init__(self, *, new_id: Callable[[], str], sent_at: str | None, **facts: Any) -> None:
        self._new_id = new_id
        self._sent_at = sent_at
        self._facts = facts
        self._opening = opened_line(Format.SEGMENT, **facts, sent_at=sent_at)

    @property
    def repeated_bytes(self) -> int:
        """How much every line repeats."""
        return len(self._opening)

    def of_messages(self, messages: list[Any]) -> bytes:
        """Return a line for each message.

        Raises:
            TypeError: one of them lies so deep that it cannot be written.
        """
        plain = [each for each in messages if _is_plain(each)]
        others = [] if len(plain) == len(messages) else [x for x in messages if not _is_plain(x)]
        lines = [self.of_message(each, written(each)) for each in others]
        if plain:
            lines.append(self._of_plain(plain))
        return b"".join(lines)

    def _of_plain(self, messages: list[dict[str, Any]]) -> bytes:
        """Return the lines of messages that share all their facts, written in one go."""
        woven: list[Any] = [_BREAK] * (2 * len(messages) - 1)
        woven[::2] = messages
        text = written(woven)[1:-1]
        if len(text) > MAX_MESSAGE_BYTES:
            texts = text.split(_BETWEEN)
            if max(map(len, texts)) > MAX_MESSAGE_BYTES:
                return b"".join(self.of_message(orjson.loads(each), each) for each in texts)
        return self._opening + text.replace(_BETWEEN, _END + self._opening) + _END

    def of_message(self, message: Any, text: bytes) -> bytes:
        """Return the line of one message that needs a closer look.

        Args:
            message: as decoded.
            text: the same as JSON on one line.
        """
        if not isinstance(message, dict):
            mistyped = Fault(Reason.INVALID_TYPE, "batch", "A message is not an object.")
            return self.of_unreadable(text, mistyped)
        fault = fault_of(message, None)
        if len(text) > MAX_MESSAGE_BYTES:
            fault = Fault(Reason.TOO_LARGE, None, "The message is too large.")
        has_id = isinstance(message.get("messageId"), str) and message["messageId"]
        made_id = None
        if not has_id:
            # What is put aside is counted: sent again, it must be known again.
            made_id = self._new_id() if fault is None else digest_of(text)
        if _WRITE_KEY in message:
            text = write_exactly({name: it for name, it in message.items() if name != _WRITE_KEY})
        opening = opened_line(
            Format.SEGMENT,
            **self._facts,
            sent_at=_text_or_none(message.get("sentAt")) or self._sent_at,
            fallback_id=made_id,
            refusal=None if fault is None else {"reason": fault.reason, "field": fault.field},
        )
        return opening + text + _END

    def of_unreadable(self, text: bytes, fault: Fault = _NOT_DECODED) -> bytes:
        """Return the line of what is no message, with its bytes, but without a write key."""
        kept = _WRITE_KEY_MEMBER.sub(b'"writeKey":null', text)
        facts = {**self._facts, "sent_at": self._sent_at, "fallback_id": digest_of(kept)}
        return opaque_line(kept, reason=fault.reason, field=fault.field, **facts) + b"\n"


def _is_plain(message: Any) -> bool:
    """Return whether a message is sound, and its line needs nothing that others' do not."""
    return (
        type(message) is dict
        and is_sound(message, message.get("type"))
        and "sentAt" not in message
        and _WRITE_KEY not in message
    )


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
