"""POST /v1/cloudevents: CloudEvents over HTTP, in binary, structured and batch mode."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from feedback_platform.events.received import Format, opaque_line, opened_line
from feedback_platform.ingestion.collector.answers import send_no_content
from feedback_platform.ingestion.collector.audience import Accepted
from feedback_platform.ingestion.collector.cloudevent_messages import (
    fault_of,
    from_headers,
    is_binary,
)
from feedback_platform.ingestion.collector.documents import (
    decoded,
    digest_of,
    elements,
    not_json,
    on_one_line,
)
from feedback_platform.ingestion.collector.limits import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_CLOUDEVENT_BYTES,
)
from feedback_platform.ingestion.collector.refusals import Fault, Reason, RequestRefusedError
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.ingestion.collector.turns import Turns

PATH: Final = "/v1/cloudevents"
STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
_TOO_LARGE_STATUS: Final = 413
_UNREADABLE: Final = Fault(Reason.MALFORMED_JSON, None, "The event cannot be read.")


class CloudEvents:
    """Takes events one by one, or an array of them of which faulty ones are put aside."""

    def __init__(self, station: Station) -> None:
        self._station = station

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Store the events of a request, then answer 204."""
        station = self._station
        taken, prompt, now = await self._taken(scope, receive)
        await station.commit.durable(taken)
        if prompt:
            await station.take_effect(prompt, now)
        await send_no_content(send)

    async def _taken(
        self, scope: Scope, receive: Receive
    ) -> tuple[asyncio.Future[str | None], bytes, datetime]:
        """Hand a request's lines to the writer; its body is not kept until they are durable."""
        station = self._station
        headers = dict(scope["headers"])
        sender = station.keys.sender(headers)
        media_type = headers.get(b"content-type", b"").decode("latin-1").strip()
        mode = _mode(scope, media_type)
        most = MAX_BATCH_BYTES if mode == BATCH else MAX_CLOUDEVENT_BYTES
        async with station.bodies.reading(
            headers, receive, most=most, too_large=_TOO_LARGE_STATUS
        ) as body:
            text = body if mode else from_headers(scope["headers"], media_type, body)
            lines, now, accepted, prompt = await self._lines(text, sender, is_batch=mode == BATCH)
            return station.commit.take(lines, now, accepted), prompt, now

    async def _lines(
        self, text: bytes, sender: str | None, *, is_batch: bool
    ) -> tuple[bytes, datetime, list[Accepted], bytes]:
        """Return received lines, when they were received, and what is told of them.

        At the end those that have to take effect before they are answered.
        """
        station = self._station
        now, received_at = station.now()
        facts = {"received_at": received_at, "source": sender}
        sound: list[dict[str, Any]] = []
        if is_batch:
            texts = await _events(text, station.turns)
            content = b"".join(_line_of_any(each, facts, sound) for each in texts)
            count = len(texts)
        else:
            content, count = _line_of_one(text, facts, sound), 1
        station.rate.take(sender, count)
        audience, prompt = station.audience, station.prompt
        told = audience.of_cloudevents(sound, received_at) if audience else []
        is_prompt = prompt is not None and any(map(prompt.is_cloudevent, sound))
        return content, now, told, prompt.lines_of(content) if prompt and is_prompt else b""


def _mode(scope: Scope, media_type: str) -> str:
    """Return STRUCTURED, BATCH, or nothing for an event in the headers.

    Raises:
        RequestRefusedError: it is none of them (415).
    """
    kind = media_type.partition(";")[0].strip().lower()
    charset = media_type.lower().partition("charset=")[2].strip(' "')
    if kind in {STRUCTURED, BATCH} and charset in {"", "utf-8"}:
        return kind
    if kind.startswith("application/cloudevents") or not is_binary(scope["headers"]):
        text = (
            f"Send {STRUCTURED} or {BATCH} in UTF-8, "
            "or the event's attributes as headers that begin with ce-."
        )
        raise RequestRefusedError(415, "unsupported_media_type", text)
    return ""


def _line_of_one(text: bytes, facts: dict[str, Any], sound: list[dict[str, Any]]) -> bytes:
    event = decoded(text)
    if not isinstance(event, dict):
        raise RequestRefusedError(400, Reason.INVALID_TYPE, "The event is not an object.")
    fault = fault_of(event, text)
    if fault is not None:
        raise RequestRefusedError.for_fault(fault)
    sound.append(event)
    text = on_one_line(text)
    return opened_line(Format.CLOUDEVENT, **facts) + text + b"}\n"


def _line_of_any(text: bytes, facts: dict[str, Any], sound: list[dict[str, Any]]) -> bytes:
    """Return a line; an event in which nothing is wrong is added to those that are sound."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _opaque(text, _UNREADABLE, facts)
    if not isinstance(event, dict):
        return _opaque(text, Fault(Reason.INVALID_TYPE, None, "no object"), facts)
    fault = fault_of(event, text)
    if fault is not None and fault.reason is Reason.MALFORMED_JSON:
        return _opaque(text, fault, facts)
    if len(text) > MAX_CLOUDEVENT_BYTES:
        fault = Fault(Reason.TOO_LARGE, None, "The event is too large.")
    put_aside: dict[str, Any] = {}
    if fault is None:
        sound.append(event)
    else:
        put_aside["refusal"] = {"reason": fault.reason, "field": fault.field}
        if not (isinstance(event.get("id"), str) and event["id"]):
            put_aside["fallback_id"] = digest_of(text)
    text = on_one_line(text)
    return opened_line(Format.CLOUDEVENT, **facts, **put_aside) + text + b"}\n"


def _opaque(text: bytes, fault: Fault, facts: dict[str, Any]) -> bytes:
    made_id = digest_of(text)
    line = opaque_line(text, reason=fault.reason, field=fault.field, **facts, fallback_id=made_id)
    return line + b"\n"


async def _events(body: bytes, turns: Turns) -> list[bytes]:
    """Return the events of a batch, each as its own JSON.

    Raises:
        RequestRefusedError: the body is no array, or has too many elements.
    """
    try:
        is_array = isinstance(orjson.loads(body), list)
    except orjson.JSONDecodeError as error:
        # One event that cannot be read must not take the others with it.
        if not body.lstrip().startswith(b"["):
            raise not_json(error) from error
        is_array = True
    if not is_array:
        raise RequestRefusedError(400, Reason.INVALID_TYPE, "The body is not an array.")
    try:
        events = await turns.run(elements, body)
    except ValueError as error:
        text = "The body is not JSON: its brackets do not match."
        raise RequestRefusedError(400, Reason.MALFORMED_JSON, text) from error
    if len(events) > MAX_BATCH_EVENTS:
        text = f"The batch has more than {MAX_BATCH_EVENTS:,} events."
        raise RequestRefusedError(_TOO_LARGE_STATUS, Reason.TOO_LARGE, text)
    return events
