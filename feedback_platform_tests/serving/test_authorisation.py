"""Every endpoint of the application, tried as everybody who may not.

The endpoints are those that the application has; one that is not in the table below fails.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from starlette.routing import BaseRoute, Mount, Route

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.serving.application import build_application
from feedback_platform.serving.openapi import openapi_document
from feedback_platform.serving.users import METHODS
from feedback_platform.serving.users import PREFIX as USERS
from feedback_platform.settings import load_settings
from feedback_platform_tests.serving.flag_server import STREAM
from feedback_platform_tests.serving.running import Answer, RunningServer, running_server
from feedback_platform_tests.serving.users import ADMINISTRATOR, GUARDED, SECRET, bearer

# Who may ask. What pages send has a write key; it is no secret, so it opens nothing else.
OPEN: Final = "everybody"
SENDER: Final = "whoever has a write key"
USER: Final = "the user, and administrators"
ADMIN: Final = "administrators"
KEYED: Final = "administrators, by their key alone"
TABLE: Final[Mapping[str, str]] = {
    OPEN: """
        GET /
        GET /demo
        GET /demo/start
        GET /demo/libraries/{path}
        GET /demo/{path}
        POST /demo/visitors
        GET /docs
        GET /docs/
        GET /docs/page.js
        GET /docs/static/{path}
        GET /openapi.json
        GET /healthz
        GET /readyz
        GET /registry/
        GET /registry/config
        GET /registry/config/{subject}
        GET /registry/contexts
        GET /registry/mode
        GET /registry/mode/{subject}
        GET /registry/schemas/ids/{id}
        GET /registry/schemas/ids/{id}/schema
        GET /registry/schemas/ids/{id}/subjects
        GET /registry/schemas/ids/{id}/versions
        GET /registry/schemas/types
        GET /registry/subjects
        GET /registry/subjects/{subject}/versions
        GET /registry/subjects/{subject}/versions/{version}
        GET /registry/subjects/{subject}/versions/{version}/referencedby
        GET /registry/subjects/{subject}/versions/{version}/schema
        POST /registry/compatibility/subjects/{subject}/versions
        POST /registry/compatibility/subjects/{subject}/versions/{version}
        POST /registry/subjects/{subject}
    """,
    SENDER: """
        GET /ofrep/v1/stream
        GET /v1/projects/{writeKey}/settings
        POST /ofrep/v1/evaluate/flags
        POST /ofrep/v1/evaluate/flags/{key}
        POST /v1/a
        POST /v1/alias
        POST /v1/b
        POST /v1/batch
        POST /v1/cloudevents
        POST /v1/g
        POST /v1/group
        POST /v1/i
        POST /v1/identify
        POST /v1/import
        POST /v1/p
        POST /v1/page
        POST /v1/s
        POST /v1/screen
        POST /v1/t
        POST /v1/track
    """,
    USER: """
        DELETE /v1/users/{user_id}
        GET /v1/recommendations/{user_id}
        GET /v1/recommendations/{user_id}/explanations/{item_id}
        GET /v1/users/{user_id}/data
        GET /v1/users/{user_id}/preferences
        PUT /v1/users/{user_id}/preferences
    """,
    ADMIN: """
        DELETE /opendsr/requests/{subject_request_id}
        GET /opendsr/discovery
        GET /opendsr/requests/{subject_request_id}
        POST /opendsr/requests
    """,
    KEYED: """
        GET /metrics
        DELETE /registry/config
        DELETE /registry/config/{subject}
        DELETE /registry/mode
        DELETE /registry/mode/{subject}
        DELETE /registry/subjects/{subject}
        DELETE /registry/subjects/{subject}/versions/{version}
        POST /registry/subjects/{subject}/versions
        PUT /registry/config
        PUT /registry/config/{subject}
        PUT /registry/mode
        PUT /registry/mode/{subject}
    """,
}
KINDS: Final = {
    endpoint.strip(): kind
    for kind, endpoints in TABLE.items()
    for endpoint in endpoints.strip().splitlines()
}
OPERATIONS: Final = {"get", "put", "post", "delete", "patch"}
SEND_KEY: Final = {"X-API-Key": "w-key", "Authorization": "Bearer w-key"}


def of_routes(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[str]:
    """The endpoints of an application with routes, as the table has them."""
    for route in routes:
        if isinstance(route, Mount):
            below = f"{prefix}{route.path}"
            yield from of_routes(route.routes, below) if route.routes else [f"GET {below}/{{path}}"]
        else:
            assert isinstance(route, Route), route
            path = re.sub(r"\{(\w+):\w+\}", r"{\1}", f"{prefix}{route.path}")
            yield from (f"{method} {path}" for method in (route.methods or set()) - {"HEAD"})


def test_every_endpoint_of_the_application_is_in_the_table(tmp_path: Path) -> None:
    application = build_application(load_settings(tmp_path, {}))
    documented = {
        f"{method.upper()} {path}"
        for path, item in openapi_document()["paths"].items()
        for method in OPERATIONS & item.keys()
    }
    routed = {*of_routes(application.others.routes)}
    taking_events = {f"POST {path}" for path in application.collector.post_paths}
    of_users = {
        f"{method} {USERS}{{user_id}}{rest}"
        for rest, methods in METHODS.items()
        for method in methods
    }

    found = documented | routed | taking_events | of_users
    assert sorted(found - KINDS.keys()) == []
    assert sorted(KINDS.keys() - found) == []
    # What is told apart by its prefix has no routes, so its document has to know it.
    for prefix in application.by_prefix:
        assert any(prefix in endpoint for endpoint in documented), prefix


def unsigned(user_id: str) -> dict[str, str]:
    claims = {"sub": user_id, "exp": datetime.now(UTC) + timedelta(minutes=5)}
    return {"Authorization": f"Bearer {jwt.encode(claims, '', algorithm='none')}"}


def signed_as(algorithm: str, user_id: str, secret: str = SECRET) -> dict[str, str]:
    """A token that says of itself that it was signed in another way."""
    exp = int((datetime.now(UTC) + timedelta(minutes=5)).timestamp())
    parts = [{"alg": algorithm, "typ": "JWT"}, {"sub": user_id, "exp": exp}]
    message = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    signature = _encoded(hmac.digest(secret.encode(), message.encode(), hashlib.sha256))
    return {"Authorization": f"Bearer {message}.{signature}"}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


# Nobody whom the server knows.
STRANGERS: Final[Mapping[str, Mapping[str, str]]] = {
    "nobody": {},
    "a wrong key": {"X-API-Key": "b-key"},
    "a wrong key as Bearer": {"Authorization": "Bearer b-key"},
    "a wrong key as Basic": basic("b-key:"),
    "a part of the key": {"X-API-Key": "a-ke"},
    "an empty key": {"X-API-Key": "", "Authorization": "Bearer "},
    "an expired token": bearer("ada", valid_for=timedelta(minutes=-5)),
    "a token that nobody signed": unsigned("ada"),
    "a token signed with another secret": bearer("ada", secret="0" * 32),
    "a token signed with a write key": signed_as("HS256", "ada", "w-key"),
    "a token signed with an API key": signed_as("HS256", "ada", "a-key"),
    "a token signed with nothing": signed_as("HS256", "ada", ""),
    "a token of another algorithm": signed_as("HS512", "ada"),
    "a token with a public key's algorithm": signed_as("RS256", "ada"),
    "a token without an algorithm": signed_as("none", "ada"),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server") / "data", GUARDED) as running:
        yield running
        # Whoever was refused has left nothing.
        lake = Lake(running.settings.lake_url)
        assert running.lines() == []
        for prefix in (keys.PREFERENCES, keys.ERASURE_REQUESTS, keys.SUBJECT_REQUESTS):
            assert lake.list_keys(prefix) == []


def ask(server: RunningServer, endpoint: str, headers: Mapping[str, str]) -> Answer:
    """Send a request that would be answered if it came from whoever may send it."""
    method, _, path = endpoint.partition(" ")
    for name in re.findall(r"\{(\w+)\}", path):
        path = path.replace(f"{{{name}}}", "ada" if name == "user_id" else "1")
    return server.ask(method, path, BODIES.get(endpoint), {**headers, **JSON})


JSON: Final = {"Content-Type": "application/json"}
BODIES: Final[Mapping[str, Any]] = {
    "PUT /v1/users/{user_id}/preferences": {"personalisation": False},
    "POST /opendsr/requests": {
        "regulation": "gdpr",
        "subject_request_id": "a7551968-d5d6-44b2-9831-815ac9017798",
        "subject_request_type": "erasure",
        "submitted_time": "2026-10-02T15:00:00Z",
        "subject_identities": [
            {"identity_type": "controller_customer_id", "identity_value": "ada"}
        ],
    },
    **{
        endpoint: {"userId": "ada", "event": "Product Clicked", "groupId": "g", "previousId": "p"}
        for endpoint in KINDS
        if endpoint.startswith("POST /v1/")
    },
    "POST /v1/cloudevents": {
        "specversion": "1.0",
        "id": "1",
        "source": "shop",
        "type": "item_clicked",
        "data": {"user_id": "ada"},
    },
}
GUARDED_ENDPOINTS: Final = [endpoint for endpoint, kind in KINDS.items() if kind != OPEN]


@pytest.mark.parametrize("endpoint", GUARDED_ENDPOINTS)
def test_strangers_are_not_let_in(guarded: RunningServer, endpoint: str) -> None:
    for who, headers in STRANGERS.items():
        answer = ask(guarded, endpoint, headers)
        assert answer.status == 401, who
        assert b"ada" not in answer.body, who


@pytest.mark.parametrize("endpoint", GUARDED_ENDPOINTS)
def test_who_is_known_for_something_else_is_not_let_in_either(
    guarded: RunningServer, endpoint: str
) -> None:
    kind = KINDS[endpoint]
    others = {
        SENDER: [bearer("ada"), ADMINISTRATOR],
        USER: [bearer("eve"), bearer("ADA"), bearer("ada "), SEND_KEY],
        ADMIN: [bearer("ada"), SEND_KEY],
        KEYED: [bearer("ada"), SEND_KEY],
    }
    for headers in others[kind]:
        answer = ask(guarded, endpoint, headers)
        is_token = headers.get("Authorization", "").count(".") == 2
        expected = 403 if is_token and kind in {USER, ADMIN} else 401
        # An administrator who evaluates flags is told what his key is.
        assert answer.status in {expected, 403 if "/ofrep/" in endpoint else expected}, headers


@pytest.mark.parametrize("endpoint", [each for each, kind in KINDS.items() if kind == OPEN])
def test_what_is_open_asks_nobody(guarded: RunningServer, endpoint: str) -> None:
    for headers in ({}, STRANGERS["a wrong key"], STRANGERS["an expired token"]):
        assert ask(guarded, endpoint, headers).status not in {401, 403}


def test_whoever_may_is_let_in(tmp_path: Path) -> None:
    allowed = {
        SENDER: [SEND_KEY],
        USER: [ADMINISTRATOR, basic("a-key:"), bearer("ada")],
        ADMIN: [ADMINISTRATOR],
        KEYED: [ADMINISTRATOR],
    }
    with running_server(tmp_path / "data", GUARDED) as running:
        for endpoint in GUARDED_ENDPOINTS:
            # A stream has no end, and its key stands in its address, as that of the settings does.
            if STREAM in endpoint or "/projects/" in endpoint:
                continue
            for headers in allowed[KINDS[endpoint]]:
                assert ask(running, endpoint, headers).status not in {401, 403, 500}, endpoint
