"""The recommendations' part of the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from feedback_platform.learning.online.records import ReasonKind
from feedback_platform.serving.recommendation_requests import (
    DEFAULT_ITEMS,
    DEFAULT_PLACEMENT,
    EXPLANATIONS,
    LONGEST_ID,
    MOST_ITEMS,
    PLACEMENT,
    PREFIX,
)

_JSON: Final = "application/json"
_TAG: Final = "Recommendations"
_ANYBODY: Final[list[dict[str, list[str]]]] = [{"userToken": []}, {"administrator": []}, {}]
_TEXT: Final = {"type": "string"}
_OPTIONAL: Final = {"type": ["string", "null"]}
_NUMBER: Final = {"type": "number"}
_POSITION: Final = {"type": "integer", "minimum": 1}
_ERRORS: Final = {
    400: "A parameter or an id is strange; `message` names it.",
    401: "The user's token or an API key is needed, or is unknown or over.",
    403: "The token is another user's.",
    404: "There is no such item, or nothing at this path.",
    408: "The request was not complete in time; the connection is closed.",
    503: "No lists were published yet; `Retry-After` says when to ask again.",
}
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The user's own token: HS256, with `sub` and `exp`.",
    },
    "administrator": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An administrator's key.",
    },
}


def recommendation_paths() -> dict[str, Any]:
    """Return the paths of lists and of explanations."""
    return {
        f"{PREFIX}{{user_id}}": {"get": _list()},
        f"{PREFIX}{{user_id}}/{EXPLANATIONS}/{{item_id}}": {"get": _explanation()},
    }


def recommendation_schemas() -> dict[str, Any]:
    """Return what these paths answer."""
    return {
        "recommendations": _object(
            recommendation_id=_TEXT,
            user_id=_TEXT,
            placement=_TEXT,
            model_version=_TEXT,
            is_personalised={"type": "boolean"},
            experiments={"type": "array", "items": _reference("experiment")},
            items={"type": "array", "maxItems": MOST_ITEMS, "items": _reference("recommended")},
        ),
        "experiment": _object(experiment_id=_TEXT, variant=_TEXT),
        "recommended": _object(
            item_id=_TEXT,
            title=_TEXT,
            position=_POSITION,
            score=_NUMBER,
            propensity={"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            reason=_TEXT,
            is_exploration={"type": "boolean"},
            categories={"type": "array", "items": _TEXT},
        ),
        "explanation": _object(
            user_id=_TEXT,
            item_id=_TEXT,
            title=_TEXT,
            model_version=_TEXT,
            experiments={"type": "array", "items": _reference("experiment")},
            is_listed={"type": "boolean"},
            position={"type": ["integer", "null"], "minimum": 1},
            score={"type": ["number", "null"]},
            reasons={"type": "array", "items": _reference("reason")},
        ),
        "reason": _object(
            kind={"enum": [str(kind) for kind in ReasonKind]},
            text=_TEXT,
            item_id=_OPTIONAL,
            title=_OPTIONAL,
            weight=_NUMBER,
        ),
    }


def _list() -> dict[str, Any]:
    return {
        "tags": [_TAG],
        "summary": "The list of a user at this moment.",
        "description": "The published list, with what this server was told that the user did in "
        "the last minutes. An unknown user gets what is popular.",
        "security": _ANYBODY,
        "parameters": [
            _in_path("user_id"),
            _in_query(
                "limit", type="integer", minimum=1, maximum=MOST_ITEMS, default=DEFAULT_ITEMS
            ),
            _of_placement(),
            _in_query("log", type="boolean", default=True),
        ],
        "responses": {
            "200": {"description": "The items, the best first.", **_content("recommendations")},
            **_errors(400, 401, 403, 404, 408, 503),
        },
    }


def _explanation() -> dict[str, Any]:
    return {
        "tags": [_TAG],
        "summary": "Why an item is in a user's list, or would be.",
        "security": _ANYBODY,
        "parameters": [_in_path("user_id"), _in_path("item_id"), _of_placement()],
        "responses": {
            "200": {"description": "The reasons.", **_content("explanation")},
            **_errors(400, 401, 403, 404, 408, 503),
        },
    }


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _of_placement() -> dict[str, Any]:
    return _in_query(
        "placement", type="string", pattern=f"^{PLACEMENT}$", default=DEFAULT_PLACEMENT
    )


def _in_query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _errors(*statuses: int) -> dict[str, Any]:
    errors: dict[str, Any] = {
        str(status): {"description": _ERRORS[status], **_content("error")} for status in statuses
    }
    seconds = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}
    errors["503"]["headers"] = {"Retry-After": {**seconds, "required": True}}
    return errors


def _content(name: str) -> dict[str, Any]:
    return {"content": {_JSON: {"schema": _reference(name)}}}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
