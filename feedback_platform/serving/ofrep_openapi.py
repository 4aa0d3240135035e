"""OFREP's part of the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from feedback_platform.adjustment.flags.evaluation import Reason
from feedback_platform.serving.flag_experiments import EXPERIMENT_ID, VARIANT
from feedback_platform.serving.ofrep import BULK, STREAM
from feedback_platform.serving.ofrep_requests import MAX_BODY_BYTES

_JSON: Final = "application/json"
_FLAGS: Final = "OpenFeature remote evaluation"
_KEYS: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}, {}]
_CODES: Final = ["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]
_KEY: Final = {"type": "string"}
_ERRORS: Final = {
    401: "The write key is missing or unknown.",
    403: "The key is an administrator's; pages must not know it.",
    408: "The request was not complete in time; the connection is closed.",
    413: "The body is too large.",
    503: "The flags are not known yet, or too many streams are open.",
}
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A write key."}
}


def ofrep_paths() -> dict[str, Any]:
    """Return the paths that OpenFeature's clients ask."""
    return {
        f"{BULK}/{{key}}": {"post": _single()},
        BULK: {"post": _bulk()},
        STREAM: {"get": _stream()},
    }


def ofrep_schemas() -> dict[str, Any]:
    """Return what these paths take and answer."""
    metadata = {
        "type": "object",
        "description": "The flag's revision, and what decided: the rule, or the experiment and "
        "its variant, to be reported when the user meets it.",
        "properties": {
            "revision": {"type": "integer"},
            "rule": {"type": "string"},
            EXPERIMENT_ID: {"type": "string"},
            VARIANT: {"type": "string"},
        },
    }
    return {
        "evaluationRequest": {
            "type": "object",
            "description": f"At most {MAX_BODY_BYTES:,} bytes.",
            "properties": {
                "context": {
                    "type": "object",
                    "properties": {"targetingKey": {"type": "string", "maxLength": 1000}},
                }
            },
        },
        "evaluation": {
            "type": "object",
            "description": "Without a value, the caller's own default holds.",
            "required": ["key", "reason", "variant", "metadata"],
            "properties": {
                "key": _KEY,
                "value": {"type": ["boolean", "string", "number", "object"]},
                "reason": {"enum": [str(reason) for reason in Reason]},
                "variant": {"type": "string"},
                "metadata": metadata,
            },
        },
        "evaluationFailure": _failure(_CODES, "key", "errorCode"),
        "flagNotFound": _failure(["FLAG_NOT_FOUND"], "key", "errorCode"),
        "bulkFailure": _failure(_CODES, "errorCode"),
        "evaluationError": _failure(_CODES),
        "bulkEvaluation": {
            "type": "object",
            "required": ["flags", "eventStreams"],
            "properties": {
                "flags": {
                    "type": "array",
                    "items": {"anyOf": [_reference("evaluation"), _reference("evaluationFailure")]},
                },
                "eventStreams": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["type", "url"],
                        "properties": {"type": {"const": "sse"}, "url": {"type": "string"}},
                    },
                },
            },
        },
    }


def _single() -> dict[str, Any]:
    key = {"name": "key", "in": "path", "required": True, "schema": _KEY}
    return {
        **_operation("Evaluate one flag."),
        "parameters": [key],
        "responses": {
            "200": {"description": "What the flag is, and why.", **_content("evaluation")},
            "400": {"description": "The request is refused.", **_content("evaluationFailure")},
            "404": {"description": "There is no such flag.", **_content("flagNotFound")},
            **_errors(401, 403, 408, 413, 503),
        },
    }


def _bulk() -> dict[str, Any]:
    etag = {"schema": {"type": "string"}, "required": True}
    return {
        **_operation("Evaluate all flags."),
        "parameters": [
            _parameter("If-None-Match", "header", "The ETag of an earlier answer."),
            _parameter("flagConfigEtag", "query", "What the stream told; at least as new counts."),
            _parameter("flagConfigLastModified", "query", "What the stream told; not needed."),
        ],
        "responses": {
            "200": {
                "description": "What the flags are, and why.",
                "headers": {"ETag": etag},
                **_content("bulkEvaluation"),
            },
            "304": {"description": "Nothing is different.", "headers": {"ETag": etag}},
            "400": {"description": "The request is refused.", **_content("bulkFailure")},
            **_errors(401, 403, 408, 413, 503),
        },
    }


def _stream() -> dict[str, Any]:
    return {
        "tags": [_FLAGS],
        "summary": "Hear of changed flags, without end.",
        "description": "Server-sent events; each has "
        '`{"type": "refetchEvaluation", "etag", "lastModified"}` as its data.',
        "parameters": [_parameter("token", "query", "From `eventStreams`, where there are keys.")],
        "responses": {
            "200": {
                "description": "A stream of events.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **_errors(401, 503),
        },
    }


def _operation(summary: str) -> dict[str, Any]:
    return {
        "tags": [_FLAGS],
        "summary": summary,
        "security": _KEYS,
        "requestBody": {"required": False, **_content("evaluationRequest")},
    }


def _parameter(name: str, place: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": place, "description": description, "schema": {"type": "string"}}


def _failure(codes: list[str], *needed: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [*needed, "errorDetails"],
        "properties": {
            "key": _KEY,
            "errorCode": {"enum": codes},
            "errorDetails": {"type": "string"},
        },
    }


def _errors(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {"description": _ERRORS[status], **_content("evaluationError")}
        for status in statuses
    }


def _content(name: str) -> dict[str, Any]:
    return {"content": {_JSON: {"schema": _reference(name)}}}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
