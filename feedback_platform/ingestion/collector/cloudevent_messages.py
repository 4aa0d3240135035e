"""CloudEvents 1.0: what an event must have, and how one is told in headers."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

import orjson

from feedback_platform.events.exact_json import write_exactly
from feedback_platform.ingestion.collector.documents import decoded, is_too_deep
from feedback_platform.ingestion.collector.limits import MAX_DEPTH
from feedback_platform.ingestion.collector.refusals import Fault, Reason, RequestRefusedError

_PREFIX: Final = b"ce-"
_VERSION: Final = "1.0"
_REQUIRED: Final = ("specversion", "id", "source", "type")


def fault_of(event: dict[str, Any], text: bytes) -> Fault | None:
    """Return what is wrong with an event, or None.

    Args:
        event: in the JSON format.
        text: the same as JSON.
    """
    # First of all: what lies too deep cannot even be written again.
    if is_too_deep(event, text):
        text_of_fault = f"The event is nested deeper than {MAX_DEPTH} levels."
        return Fault(Reason.MALFORMED_JSON, None, text_of_fault)
    for name in _REQUIRED:
        value = event.get(name)
        if value in (None, ""):
            return Fault(Reason.MISSING_FIELD, name, f"{name} is missing.")
        if not isinstance(value, str):
            return Fault(Reason.INVALID_TYPE, name, f"{name} is not a string.")
    if event["specversion"] != _VERSION:
        return Fault(Reason.OUT_OF_RANGE, "specversion", f"specversion is not {_VERSION}.")
    if "data" in event and "data_base64" in event:
        return Fault(Reason.INVALID_TYPE, "data_base64", "data and data_base64 exclude each other.")
    return None


def is_binary(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether any attribute stands in the headers."""
    return any(name.startswith(_PREFIX) for name, _ in headers)


def from_headers(headers: Iterable[tuple[bytes, bytes]], media_type: str, body: bytes) -> bytes:
    """Return the event of a request in binary mode, in the JSON format.

    Args:
        headers: names and values; attributes are those that begin with ce-.
        media_type: of the data; without one it is taken for JSON.
        body: the data.

    Raises:
        RequestRefusedError: the data or an attribute cannot be read.
    """
    event: dict[str, Any] = {
        name[len(_PREFIX) :].decode("latin-1"): _attribute(name, value)
        for name, value in headers
        if name.startswith(_PREFIX)
    }
    if media_type:
        event["datacontenttype"] = media_type
    if not body:
        return orjson.dumps(event)
    kind = media_type.partition(";")[0].strip().lower()
    if not kind or kind == "application/json" or kind.endswith("+json"):
        event["data"] = decoded(body)
    elif kind.startswith("text/"):
        try:
            event["data"] = body.decode()
        except UnicodeDecodeError as error:
            text = "The data is not UTF-8."
            raise RequestRefusedError(400, Reason.INVALID_TYPE, text) from error
    else:
        event["data_base64"] = base64.b64encode(body).decode()
    try:
        return write_exactly(event)
    except TypeError as error:
        text = f"The data is nested deeper than {MAX_DEPTH} levels."
        raise RequestRefusedError(400, Reason.MALFORMED_JSON, text) from error


def _attribute(name: bytes, value: bytes) -> str:
    try:
        return unquote(value.decode(), errors="strict")
    except UnicodeDecodeError as error:
        text = f"The header {name.decode('latin-1')} is not UTF-8."
        raise RequestRefusedError(400, Reason.INVALID_TYPE, text) from error
