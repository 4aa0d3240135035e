"""End users and administrators of a server that asks who they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from feedback_platform.serving.user_tokens import sign_token
from feedback_platform_tests.serving.running import Answer, RunningServer

SECRET: Final = "b1f0c6a5e2d94788a3f1c0d9e8b7a6f5"  # noqa: S105 - of the tests
ADMINISTRATOR: Final = {"X-API-Key": "a-key"}
GUARDED: Final = {
    "FEEDBACK_USER_TOKEN_SECRET": SECRET,
    "FEEDBACK_API_KEYS": "ada:a-key",
    "FEEDBACK_WRITE_KEYS": "web:w-key",
}


def bearer(
    user_id: str, *, secret: str = SECRET, valid_for: timedelta = timedelta(minutes=5)
) -> dict[str, str]:
    """The header that a user's page sends."""
    token = sign_token(user_id, secret, now=datetime.now(UTC), valid_for=valid_for)
    return {"Authorization": f"Bearer {token}"}


def path_of(user_id: str, rest: str = "") -> str:
    return f"/v1/users/{quote(user_id, safe='')}{rest}"


def preferences(server: RunningServer, user_id: str = "ada") -> Any:
    """What the server says that a user allows."""
    answer = server.ask("GET", path_of(user_id, "/preferences"), headers=bearer(user_id))
    assert answer.status == 200, answer
    return answer.content


def put(
    server: RunningServer,
    content: Any,
    user_id: str = "ada",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Change what a user allows."""
    path = path_of(user_id, "/preferences")
    return server.ask("PUT", path, content, headers or bearer(user_id))
