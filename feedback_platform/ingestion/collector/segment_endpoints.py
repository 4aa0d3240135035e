"""Segment's tracking API: POST /v1/{type}, /v1/batch and the browser's one-letter paths."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from feedback_platform.ingestion.collector.answers import send_success
from feedback_platform.ingestion.collector.documents import (
    decoded,
    elements,
    members,
    not_json,
    written,
)
from feedback_platform.ingestion.collector.limits import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_DEPTH,
    MAX_MESSAGE_BYTES,
    MAX_REPEATED_BYTES,
    MAX_SENT_AT,
)
from feedback_platform.ingestion.collector.refusals import Reason, RequestRefusedError
from feedback_platform.ingestion.collector.segment_lines import BatchLines, single_line
from feedback_platform.ingestion.collector.segment_messages import NEEDED
from feedback_platform.ingestion.collector.station import Handler, Station

Headers = Mapping[bytes, bytes]

_BATCH_PATHS: Final = ("/v1/batch", "/v1/import", "/v1/b")


def segment_handlers(station: Station) -> dict[str, Handler]:
    """Return what answers a POST, by path."""
    handlers: dict[str, Handler] = {path: _Batch(station) for path in _BATCH_PATHS}
    for kind in NEEDED:
        single = _Single(station, kind)
        handlers[f"/v1/{kind}"] = single
        handlers[f"/v1/{kind[0]}"] = single
    return handlers


class _Single:
    """Takes one message of a type."""

    def __init__(self, station: Station, kind: str) -> None:
        self._station = station
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        body = await self._station.bodies.read(headers, receive, most=MAX_MESSAGE_BYTES)
        await self._station.commit.store(*self._line(headers, body))
        await send_success(send)

    def _line(self, headers: Headers, body: bytes) -> tuple[bytes, datetime]:
        """Return a message's received line and when it was received."""
        station = self._station
        message = decoded(body)
        key = message.get("writeKey") if isinstance(message, dict) else None
        sender = station.keys.sender(headers, key)
        now, received_at = station.now()
        line = single_line(
            message,
            body,
            self._kind,
            new_id=station.new_id,
            received_at=received_at,
            source=sender,
        )
        station.rate.take(sender, 1)
        return line, now


class _Batch:
    """Takes many messages; a faulty one is stored with its refusal and put aside by cleaning."""

    def __init__(self, station: Station) -> None:
        self._station = station

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        body = await self._station.bodies.read(headers, receive, most=MAX_BATCH_BYTES)
        content, now = await self._lines(headers, body)
        if content:
            await self._station.commit.store(content, now)
        await send_success(send)

    async def _lines(self, headers: Headers, body: bytes) -> tuple[bytes, datetime]:
        """Return a batch's received lines and when it was received.

        What was decoded ends here: thousands of small objects that waited with the request would
        be far from the processor's caches when they are freed.
        """
        station = self._station
        envelope, parts = await _opened(body)
        sender = station.keys.sender(headers, envelope.get("writeKey"))
        count = _checked_count(envelope if parts is None else {**envelope, "batch": parts})
        station.rate.take(sender, count)
        now, received_at = station.now()
        lines = BatchLines(
            new_id=station.new_id,
            received_at=received_at,
            source=sender,
            sent_at=_checked_sent_at(envelope.get("sentAt")),
            context=_checked_context(envelope.get("context"), count),
        )
        if parts is None:
            try:
                return lines.of_messages(envelope["batch"]), now
            except TypeError:
                # A message lies too deep to be written again. Its own bytes can be kept.
                parts = (await asyncio.to_thread(_taken_apart, body))[1]
        return await asyncio.to_thread(_one_by_one, lines, parts), now


async def _opened(body: bytes) -> tuple[dict[str, Any], list[bytes] | None]:
    """Return a batch's envelope; beside it the messages as JSON if some cannot be read.

    Raises:
        RequestRefusedError: what is around the messages cannot be read.
    """
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            envelope, parts = await asyncio.to_thread(_taken_apart, body)
        except ValueError:
            raise not_json(error) from error
        return envelope, parts
    if not isinstance(envelope, dict):
        raise RequestRefusedError(400, Reason.INVALID_TYPE, "The body is not an object.")
    return envelope, None


def _taken_apart(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    parts = members(body)
    messages = elements(parts.pop("batch", b""))
    return {name: orjson.loads(part) for name, part in parts.items()}, messages


def _one_by_one(lines: BatchLines, parts: list[bytes]) -> bytes:
    made = []
    for part in parts:
        try:
            message = orjson.loads(part)
            made.append(lines.of_message(message, written(message)))
        except (orjson.JSONDecodeError, TypeError):
            made.append(lines.of_unreadable(part))
    return b"".join(made)


def _checked_count(envelope: dict[str, Any]) -> int:
    batch = envelope.get("batch")
    if not isinstance(batch, list):
        text = "batch is missing." if batch is None else "batch is not an array."
        reason = Reason.MISSING_FIELD if batch is None else Reason.INVALID_TYPE
        raise RequestRefusedError(400, reason, text)
    if len(batch) > MAX_BATCH_EVENTS:
        text = f"batch has {len(batch):,} messages; {MAX_BATCH_EVENTS:,} are the most."
        raise RequestRefusedError(400, Reason.TOO_LARGE, text)
    return len(batch)


def _checked_sent_at(value: Any) -> str | None:
    sent_at: str = _checked("sentAt", value, str) or ""
    if len(sent_at) > MAX_SENT_AT:
        text = f"sentAt is longer than {MAX_SENT_AT} characters."
        raise RequestRefusedError(400, Reason.TOO_LARGE, text)
    return sent_at or None


def _checked_context(value: Any, count: int) -> dict[str, Any] | None:
    context: dict[str, Any] | None = _checked("context", value, dict)
    try:
        size = len(orjson.dumps(context))
    except TypeError as error:
        text = f"context is nested deeper than {MAX_DEPTH} levels."
        raise RequestRefusedError(400, Reason.MALFORMED_JSON, text) from error
    if size * count > MAX_REPEATED_BYTES:
        text = (
            f"context has {size:,} bytes, which is too much for each of {count:,} messages; "
            "send smaller batches."
        )
        raise RequestRefusedError(400, Reason.TOO_LARGE, text)
    return context


def _checked(name: str, value: Any, kind: type) -> Any:
    if value is not None and not isinstance(value, kind):
        text = f"{name} is not {'an object' if kind is dict else 'a string'}."
        raise RequestRefusedError(400, Reason.INVALID_TYPE, text)
    return value
