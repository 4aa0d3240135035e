"""The OpenAPI document of the API, put together from descriptions of its paths."""

from __future__ import annotations

from typing import Any, Final

from feedback_platform import __version__
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.ingestion.collector.limits import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_CLOUDEVENT_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_ID,
)
from feedback_platform.ingestion.collector.segment_messages import ALIAS, NEEDED, TRACK
from feedback_platform.serving import ofrep_openapi, recommendations_openapi, users_openapi
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.score_settings import signal_names

_JSON: Final = "application/json"
_KEYS: Final[list[dict[str, list[str]]]] = [{"basic": []}, {"bearer": []}, {}]
_TRACKING: Final = "Segment tracking"
_EVENTS: Final = "CloudEvents"
_HEALTH: Final = "Health"

_ERRORS: Final = {
    400: "The request is refused; `message` names the field. Sending it again changes nothing.",
    401: "The write key is missing or unknown.",
    408: "The request was not complete in time; the connection is closed.",
    413: "The request is too large.",
    415: "The encoding or the format is not known.",
    429: "More events than the write key may send; `Retry-After` says when there is room.",
    503: "The events are not stored; `Retry-After` says when to send them again.",
}
_WAITING: Final = (429, 503)


def openapi_document() -> dict[str, Any]:
    """Return the document, OpenAPI 3.1."""
    kinds = ", ".join(EVENT_TYPES)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "feedback platform",
            "version": __version__,
            "description": (
                "Events are answered with success when they are durable in the lake. What they "
                "mean is decided when they are cleaned: Segment's names and CloudEvents' types "
                f"become the platform's event types ({kinds})."
            ),
        },
        "paths": {
            **_single_paths(),
            **_batch_paths(),
            "/v1/projects/{writeKey}/settings": {"get": _settings_operation()},
            "/v1/cloudevents": {"post": _cloudevents_operation()},
            **ofrep_openapi.ofrep_paths(),
            **users_openapi.users_paths(),
            **recommendations_openapi.recommendation_paths(),
            "/healthz": {"get": _health_operation("alive", "Whether the process lives.", ())},
            "/readyz": {
                "get": _health_operation(
                    "ready", "Whether events would be stored now, and lists are read.", (503,)
                )
            },
        },
        "components": {
            "schemas": _schemas(),
            "responses": {str(status): _error(status) for status in _ERRORS},
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The write key is the user name; the password is empty.",
                },
                "bearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
                **ofrep_openapi.SECURITY_SCHEMES,
                **recommendations_openapi.SECURITY_SCHEMES,
                **users_openapi.SECURITY_SCHEMES,
            },
        },
    }


def _single_paths() -> dict[str, Any]:
    paths = {}
    for kind in NEEDED:
        for name in (kind, kind[0]):
            operation = _tracking_operation(f"Take one {kind} message.", _reference(kind))
            paths[f"/v1/{name}"] = {"post": operation}
    return paths


def _batch_paths() -> dict[str, Any]:
    summary = "Take many messages; faulty ones are put aside and hold up no others."
    operation = _tracking_operation(summary, _reference("batch"))
    return {f"/v1/{name}": {"post": operation} for name in ("batch", "b", "import")}


def _tracking_operation(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    success = {"description": "Everything is durable.", **_content(_reference("success"))}
    return {
        "tags": [_TRACKING],
        "summary": summary,
        "description": "The write key may also stand in the body, as `writeKey`. "
        "The body may be compressed (`Content-Encoding: gzip`); its Content-Type does not matter.",
        "security": _KEYS,
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": schema}, "text/plain": {"schema": schema}},
        },
        "responses": {"200": success, **_errors(400, 401, 408, 415, 429, 503)},
    }


def _settings_operation() -> dict[str, Any]:
    settings = {
        "type": "object",
        "required": ["integrations"],
        "properties": {"integrations": {"type": "object", "required": ["Segment.io"]}},
    }
    return {
        "tags": [_TRACKING],
        "summary": "The settings that Segment's browser library asks for first.",
        "parameters": [
            {
                "name": "writeKey",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,200}$"},
            }
        ],
        "responses": {
            "200": {"description": "Events go to this server.", **_content(settings)},
            **_errors(401),
        },
    }


def _cloudevents_operation() -> dict[str, Any]:
    return {
        "tags": [_EVENTS],
        "summary": "Take one event or an array of them.",
        "description": (
            "Binary mode has the attributes in headers (`ce-id`, `ce-source`, `ce-specversion`, "
            f"`ce-type`, …) and the data in the body. An event has at most {MAX_CLOUDEVENT_BYTES:,}"
            f" bytes, an array {MAX_BATCH_BYTES:,} bytes and {MAX_BATCH_EVENTS:,} events; of an "
            "array, faulty events are put aside."
        ),
        "security": _KEYS,
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _reference("cloudevent")},
                "application/cloudevents-batch+json": {
                    "schema": {
                        "type": "array",
                        "items": _reference("cloudevent"),
                        "maxItems": MAX_BATCH_EVENTS,
                    }
                },
            },
        },
        "responses": {
            "204": {"description": "Everything is durable."},
            **_errors(400, 401, 408, 413, 415, 429, 503),
        },
    }


def _health_operation(status: str, summary: str, errors: tuple[int, ...]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"status": {"const": status}}}
    answer = {"description": "Yes.", **_content(schema)}
    return {
        "tags": [_HEALTH],
        "summary": summary,
        "responses": {"200": answer, **_errors(*errors)},
    }


def _schemas() -> dict[str, Any]:
    return {
        "success": _object(success={"const": True}),
        "error": _object(code={"type": "string"}, message={"type": "string"}),
        "batch": _batch_schema(),
        "cloudevent": _cloudevent_schema(),
        **{kind: _message_schema(kind) for kind in NEEDED},
        **ofrep_openapi.ofrep_schemas(),
        **users_openapi.users_schemas(signal_names(DBT_PROJECT_DIR / "seeds")),
        **recommendations_openapi.recommendation_schemas(),
    }


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _message_schema(kind: str) -> dict[str, Any]:
    identifier = {"type": ["string", "null"], "maxLength": 200}
    named = {"type": "string", "minLength": 1, "maxLength": 200}
    needed = NEEDED[kind]
    schema: dict[str, Any] = {
        "type": "object",
        "description": f"At most {MAX_MESSAGE_BYTES:,} bytes.",
        "properties": {
            "type": {"const": kind},
            "messageId": {"type": "string", "maxLength": MAX_MESSAGE_ID},
            "userId": identifier,
            "anonymousId": identifier,
            "timestamp": {"type": "string", "format": "date-time"},
            "sentAt": {"type": "string", "format": "date-time"},
            "context": {"type": "object"},
            "properties" if kind in {TRACK, "page", "screen"} else "traits": {"type": "object"},
            **({needed: named} if needed else {}),
        },
        "required": [needed] if needed else [],
    }
    if kind == ALIAS:
        schema["properties"]["userId"] = named
        schema["required"].append("userId")
    else:
        schema["anyOf"] = [
            {"required": [name], "properties": {name: named}} for name in ("userId", "anonymousId")
        ]
    return schema


def _batch_schema() -> dict[str, Any]:
    message = {"anyOf": [_reference(kind) for kind in NEEDED]}
    return {
        "type": "object",
        "description": f"At most {MAX_BATCH_BYTES:,} bytes.",
        "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "maxItems": MAX_BATCH_EVENTS, "items": message},
            "sentAt": {"type": "string", "format": "date-time"},
            "context": {"type": "object", "description": "Merged into that of each message."},
        },
    }


def _cloudevent_schema() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    schema = _object(specversion={"const": "1.0"}, id=text, source=text, type=text)
    schema["properties"] |= {
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string", "maxLength": 200},
        "datacontenttype": {"type": "string", "maxLength": 200},
        "data": {},
    }
    return schema


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {_JSON: {"schema": schema}}}


def _errors(*statuses: int) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _error(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _ERRORS[status], **_content(_reference("error"))}
    if status in _WAITING:
        seconds = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}
        answer["headers"] = {"Retry-After": {**seconds, "required": True}}
    return answer
