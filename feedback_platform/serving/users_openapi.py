"""The part of the OpenAPI document about end users, and about OpenDSR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feedback_platform.privacy.preferences import PERSONALISATION, RESEARCH, SIGNALS
from feedback_platform.privacy.requests import LONGEST_ID
from feedback_platform.privacy.subject_requests import SubjectRequestStatus
from feedback_platform.privacy.user_export import PREFERENCES
from feedback_platform.serving.opendsr import DISCOVERY, REQUESTS
from feedback_platform.serving.opendsr_requests import (
    ERASURE,
    IDENTITY,
    MAX_IDENTITIES,
    REGULATIONS,
)
from feedback_platform.warehouse.user_data import PARTS

_JSON: Final = "application/json"
_USERS: Final = "Users"
_OPENDSR: Final = "OpenDSR"
_BY_USER: Final[list[dict[str, list[str]]]] = [{"userToken": []}, {"administrator": []}, {}]
_BY_ADMINISTRATOR: Final[list[dict[str, list[str]]]] = [{"administrator": []}, {}]
_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_ERRORS: Final = {
    400: "The request is refused; `message` says what is accepted.",
    401: "The token or the key is missing, unknown or expired.",
    403: "The token is another user's, or is not enough.",
    404: "There is no such request.",
    408: "The request was not complete in time; the connection is closed.",
    409: "Another request stands in the way.",
    413: "The body is too large.",
    415: "The format or the encoding of the body is not known.",
    429: "The user asks for the same too often; `Retry-After` says when to try again.",
    503: "The store does not answer, or too much is asked; `Retry-After` says when to try again.",
}
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Signed with HS256 by the application that signs users in; `sub` is the "
        "user's id, and it has an `exp`.",
    },
    "administrator": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An administrator's key; also as Bearer or Basic authorization.",
    },
}


def users_paths() -> dict[str, Any]:
    """Return the paths of end users and of OpenDSR."""
    request_id = _path_parameter("subject_request_id", {"type": "string", "pattern": _UUID})
    return {
        "/v1/users/{user_id}/preferences": {
            "get": _of_user("What the user allows.", 200, "preferences"),
            "put": {
                **_of_user(
                    "Change what the user allows; it counts from the next response on.",
                    200,
                    "preferences",
                    errors=(408, 409, 413, 415, 429),
                ),
                "requestBody": _body("preferencesChange"),
            },
        },
        "/v1/users/{user_id}/data": {
            "get": _of_user("Everything that is known of the user.", 200, "userData", errors=(429,))
        },
        "/v1/users/{user_id}": {
            "delete": _of_user("Have the user erased from every layer.", 202, "erasure")
        },
        DISCOVERY: {"get": _of_administrator("What can be asked.", 200, "discovery")},
        REQUESTS: {
            "post": {
                **_of_administrator(
                    "Have users erased.",
                    201,
                    "subjectRequestReceipt",
                    errors=(400, 408, 409, 413, 415, 503),
                ),
                "requestBody": _body("subjectRequest"),
            }
        },
        f"{REQUESTS}/{{subject_request_id}}": {
            "parameters": [request_id],
            "get": _of_administrator(
                "How far a request is.", 200, "subjectRequestStatus", errors=(404, 503)
            ),
            "delete": _of_administrator(
                "Cancel a request that is pending.",
                202,
                "subjectRequestCancellation",
                errors=(404, 409, 503),
            ),
        },
    }


def users_schemas(signals: Sequence[str]) -> dict[str, Any]:
    """Return what these paths take and answer.

    Args:
        signals: the kinds of feedback that can be switched off.
    """
    switch: dict[str, Any] = {"type": "boolean"}
    switches: dict[str, dict[str, Any]] = {
        PERSONALISATION: switch,
        RESEARCH: switch,
        SIGNALS: {"type": "object", "additionalProperties": switch},
    }
    of_signals = {
        "type": "object",
        "properties": dict.fromkeys(signals, switch),
        "additionalProperties": False,
    }
    part = _object(about=_TEXT, rows={"type": "array", "items": {"type": "object"}})
    parts = dict.fromkeys([PREFERENCES, *(each.name for each in PARTS)], part)
    published = {"type": ["string", "null"], "format": "date-time"}
    return {
        "preferences": _object(**switches),
        "preferencesChange": {
            "type": "object",
            "description": "Any part of it; what is left out stays.",
            "properties": {**switches, SIGNALS: of_signals},
            "additionalProperties": False,
        },
        "userData": _object(user_id=_TEXT, exported_at=_TIME, published_at=published, **parts),
        "erasure": _object(request_id=_TEXT, status={"const": "pending"}),
        **_subject_schemas(),
    }


def _subject_schemas() -> dict[str, Any]:
    request_id = {"type": "string", "pattern": _UUID}
    known = {"controller_id": _TEXT, "subject_request_id": request_id, "api_version": _TEXT}
    fixed: dict[str, Any] = {name: {"const": value} for name, value in IDENTITY.items()}
    user_id = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    identity = _object(identity_type=fixed["identity_type"], identity_value=user_id)
    identity["properties"]["identity_format"] = fixed["identity_format"]
    request = _object(
        regulation={"enum": list(REGULATIONS)},
        subject_request_id=request_id,
        subject_request_type={"enum": [ERASURE]},
        submitted_time=_TIME,
        subject_identities={
            "type": "array",
            "items": identity,
            "minItems": 1,
            "maxItems": MAX_IDENTITIES,
        },
    )
    # Nobody is called back; an empty list asks for nothing.
    request["properties"]["status_callback_urls"] = {"type": "array", "maxItems": 0}
    return {
        "discovery": _object(
            api_version=_TEXT,
            supported_identities={"type": "array", "items": _object(**fixed)},
            supported_subject_request_types={"type": "array", "items": {"const": ERASURE}},
        ),
        "subjectRequest": request,
        "subjectRequestReceipt": _object(
            **known, received_time=_TIME, expected_completion_time=_TIME, encoded_request=_TEXT
        ),
        "subjectRequestStatus": _object(
            **known,
            request_status={"enum": list(map(str, SubjectRequestStatus))},
            expected_completion_time=_TIME,
        ),
        "subjectRequestCancellation": _object(**known, received_time=_TIME),
    }


def _of_user(
    summary: str, status: int, schema: str, *, errors: tuple[int, ...] = ()
) -> dict[str, Any]:
    user_id = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    parameter = _path_parameter("user_id", user_id)
    parameter["description"] = "As events have it, or `anonymous:` and a device; UTF-8."
    return {
        "tags": [_USERS],
        "summary": summary,
        "security": _BY_USER,
        "parameters": [parameter],
        "responses": _responses(status, schema, sorted({400, 401, 403, 503, *errors})),
    }


def _of_administrator(
    summary: str, status: int, schema: str, *, errors: tuple[int, ...] = ()
) -> dict[str, Any]:
    return {
        "tags": [_OPENDSR],
        "summary": summary,
        "security": _BY_ADMINISTRATOR,
        "responses": _responses(status, schema, sorted({401, 403, *errors})),
    }


def _responses(status: int, schema: str, errors: Sequence[int]) -> dict[str, Any]:
    answer = {"description": "Done.", **_content(schema)}
    refusals = {
        str(error): {"description": _ERRORS[error], **_content("error")} for error in errors
    }
    return {str(status): answer, **refusals}


def _path_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _body(name: str) -> dict[str, Any]:
    return {"required": True, **_content(name)}


def _content(name: str) -> dict[str, Any]:
    return {"content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}
