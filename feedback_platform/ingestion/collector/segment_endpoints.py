"""Segment's tracking API: POST /v1/{type}, /v1/batch and the browser's one-letter paths."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from feedback_platform.events.exact_json import has_long_number, read_exactly
from feedback_platform.ingestion.collector.answers import send_success
from feedback_platform.ingestion.collector.audience import Accepted
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
    MAX_LINES_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_SENT_AT,
)
from feedback_platform.ingestion.collector.refusals import Reason, RequestRefusedError
from feedback_platform.ingestion.collector.segment_lines import BatchLines, single_line
from feedback_platform.ingestion.collector.segment_messages import NEEDED, TRACK
from feedback_platform.ingestion.collector.station import Handler, Station
from feedback_platform.ingestion.collector.turns import Turns

Headers = Mapping[bytes, bytes]
# Received lines, when they were received, what is told of them when they are durable, and which of
# them have to take effect before they are answered.
_Lines = tuple[bytes, datetime, list[Accepted], bytes]

_BATCH_PATHS: Final = ("/v1/batch", "/v1/import", "/v1/b")
_BATCH: Final = b'"batch"'
# What looks like the word, but begins with a quotation mark that stands in a text.
_QUOTED_BATCH: Final = b'\\"batch"'
# A letter of the word as an escape, and the word with any of its letters like that.
_ESCAPE: Final = re.compile(rb"\\u00(?:6[1238]|74)")
_ANY_BATCH: Final = re.compile(
    rb'(?<!\\)"(?:b|\\u0062)(?:a|\\u0061)(?:t|\\u0074)(?:c|\\u0063)(?:h|\\u0068)"'
)


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
        station = self._station
        async with station.bodies.reading(headers, receive, most=MAX_MESSAGE_BYTES) as body:
            line, now, accepted, prompt = self._line(headers, body)
            taken = station.commit.take(line, now, accepted)
        await station.commit.durable(taken)
        if prompt:
            await station.take_effect(prompt, now)
        await send_success(send)

    def _line(self, headers: Headers, body: bytes) -> _Lines:
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
        audience, prompt = station.audience, station.prompt
        told = (
            []
            if audience is None
            else audience.of_single(message, line, received_at, kind=self._kind)
        )
        if prompt is None or self._kind != TRACK or not prompt.is_named(message["event"]):
            return line, now, told, b""
        return line, now, told, line


class _Batch:
    """Takes many messages; a faulty one is stored with its refusal and put aside by cleaning."""

    def __init__(self, station: Station) -> None:
        self._station = station

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        station = self._station
        taken, prompt, now = await self._taken(dict(scope["headers"]), receive)
        await station.commit.durable(taken)
        if prompt:
            await station.take_effect(prompt, now)
        await send_success(send)

    async def _taken(
        self, headers: Headers, receive: Receive
    ) -> tuple[asyncio.Future[str | None], bytes, datetime]:
        """Hand a batch's lines to the writer; its body is not kept until they are durable."""
        station = self._station
        async with station.bodies.reading(headers, receive, most=MAX_BATCH_BYTES) as body:
            lines, now, accepted, prompt = await self._lines(headers, body)
            return station.commit.take(lines, now, accepted), prompt, now

    async def _lines(self, headers: Headers, body: bytes) -> _Lines:
        """Return what a batch came to.

        What was decoded ends here: thousands of small objects that waited with the request would
        be far from the processor's caches when they are freed.
        """
        station = self._station
        envelope, parts = await _opened(body, station.turns)
        sender = station.keys.sender(headers, envelope.get("writeKey"))
        count = _checked_count(envelope if parts is None else {**envelope, "batch": parts})
        station.rate.take(sender, count)
        now, received_at = station.now()
        sent_at = _checked_sent_at(envelope.get("sentAt"))
        lines = BatchLines(
            new_id=station.new_id,
            received_at=received_at,
            source=sender,
            sent_at=sent_at,
            context=_checked_context(envelope.get("context")),
        )
        _check_size(count * lines.repeated_bytes + len(body), count)
        messages = envelope.get("batch", [])
        if parts is None:
            try:
                made = lines.of_messages(messages)
                told = self._told(messages, received_at, sent_at)
                return made, now, told, self._prompt(messages, made)
            except TypeError:
                # A message lies too deep to be written again. Its own bytes can be kept.
                parts = (await station.turns.run(_taken_apart, body))[1]
        made, messages = await station.turns.run(_one_by_one, lines, parts)
        told = self._told(messages, received_at, sent_at)
        return made, now, told, self._prompt(messages, made)

    def _told(self, messages: list[Any], received_at: str, sent_at: str | None) -> list[Accepted]:
        audience = self._station.audience
        if audience is None:
            return []
        return audience.of_batch(messages, received_at, sent_at)

    def _prompt(self, messages: list[Any], lines: bytes) -> bytes:
        prompt = self._station.prompt
        return prompt.lines_of(lines) if prompt is not None and prompt.is_among(messages) else b""


async def _opened(body: bytes, turns: Turns) -> tuple[dict[str, Any], list[bytes] | None]:
    """Return a batch's envelope; beside it the messages as JSON if some cannot be read.

    Raises:
        RequestRefusedError: what is around the messages cannot be read, or has a member twice.
    """
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            envelope, parts = await turns.run(_taken_apart, body)
        except ValueError:
            raise not_json(error) from error
        return envelope, parts
    if not isinstance(envelope, dict):
        raise RequestRefusedError(400, Reason.INVALID_TYPE, "The body is not an object.")
    if _lost_a_batch(envelope, body):
        await turns.run(members, body)
    if has_long_number(body) and isinstance(envelope.get("batch"), list):
        # Read at once, it would be rounded. The messages are as many and as sound one by one.
        return await turns.run(_taken_apart, body)
    return envelope, None


def _lost_a_batch(envelope: dict[str, Any], body: bytes) -> bool:
    """Return whether the parser may have dropped a batch for another one behind it.

    A closer look costs a hundred times as much; the word may well stand in messages. So the words
    that came, however they are spelled, are counted, and those that are left.
    """
    is_spelled_out = b"\\" not in body or _ESCAPE.search(body) is None
    if is_spelled_out and body.count(_BATCH) <= 1:
        return False
    came = _count_batches(body) if is_spelled_out else len(_ANY_BATCH.findall(body))
    if came <= 1:
        return False
    try:
        return _count_batches(orjson.dumps(envelope)) < came
    except TypeError:
        # It lies too deep to be written again.
        return True


def _count_batches(text: bytes) -> int:
    """Return how often the word stands in JSON as a name or as a whole text, spelled out."""
    return text.count(_BATCH) - text.count(_QUOTED_BATCH)


def _taken_apart(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    parts = members(body)
    messages = elements(parts.pop("batch", b""))
    return {name: orjson.loads(part) for name, part in parts.items()}, messages


def _one_by_one(lines: BatchLines, parts: list[bytes]) -> tuple[bytes, list[Any]]:
    """Return the lines of messages, and those that can be read."""
    made, messages = [], []
    for part in parts:
        try:
            message = read_exactly(part)
            made.append(lines.of_message(message, written(message)))
            messages.append(message)
        except (orjson.JSONDecodeError, TypeError):
            made.append(lines.of_unreadable(part))
    return b"".join(made), messages


def _checked_count(envelope: dict[str, Any]) -> int:
    batch = envelope.get("batch")
    if not isinstance(batch, list):
        text = "batch is missing." if batch is None else "batch is not an array."
        reason = Reason.MISSING_FIELD if batch is None else Reason.INVALID_TYPE
        raise RequestRefusedError(400, reason, text)
    if len(batch) > MAX_BATCH_EVENTS:
        text = f"batch has more than {MAX_BATCH_EVENTS:,} messages."
        raise RequestRefusedError(400, Reason.TOO_LARGE, text)
    return len(batch)


def _checked_sent_at(value: Any) -> str | None:
    sent_at: str = _checked("sentAt", value, str) or ""
    if len(sent_at) > MAX_SENT_AT:
        text = f"sentAt is longer than {MAX_SENT_AT} characters."
        raise RequestRefusedError(400, Reason.TOO_LARGE, text)
    return sent_at or None


def _checked_context(value: Any) -> dict[str, Any] | None:
    context: dict[str, Any] | None = _checked("context", value, dict)
    try:
        written(context)
    except TypeError as error:
        text = f"context is nested deeper than {MAX_DEPTH} levels."
        raise RequestRefusedError(400, Reason.MALFORMED_JSON, text) from error
    return context


def _check_size(size: int, count: int) -> None:
    """Refuse what its context would blow up: every line repeats it."""
    if size > MAX_LINES_BYTES:
        text = (
            f"context is too large for each of {count:,} messages: the batch would become "
            f"{size:,} bytes, and {MAX_LINES_BYTES:,} are the most. Send smaller batches."
        )
        raise RequestRefusedError(400, Reason.TOO_LARGE, text)


def _checked(name: str, value: Any, kind: type) -> Any:
    if value is not None and not isinstance(value, kind):
        text = f"{name} is not {'an object' if kind is dict else 'a string'}."
        raise RequestRefusedError(400, Reason.INVALID_TYPE, text)
    return value
