"""The endpoints of end users: their preferences, their data, and that they want to be erased.

Each is opened by the user's own token or by an administrator's key; see `access`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope, Send

from feedback_platform.errors import InvalidInputError
from feedback_platform.ingestion.collector.answers import method_not_allowed
from feedback_platform.ingestion.collector.refusals import RequestRefusedError, SenderGoneError
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.privacy.requests import check_user_id
from feedback_platform.serving.access import Access, AccessDeniedError
from feedback_platform.serving.erasures import Erasures
from feedback_platform.serving.exports import Exports
from feedback_platform.serving.preferences import MAX_BODY_BYTES, PreferencesEndpoint
from feedback_platform.serving.user_answers import send_json, send_preflight, send_refusal

PREFIX: Final = "/v1/users/"
_OPTIONS: Final = "OPTIONS"
# What may follow a user's id, and the methods that it takes.
METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("DELETE",),
    "/preferences": ("GET", "PUT"),
    "/data": ("GET",),
}


class Users:
    """Answers the paths under `/v1/users/`."""

    def __init__(
        self,
        station: Station,
        access: Access,
        preferences: PreferencesEndpoint,
        exports: Exports,
        erasures: Erasures,
    ) -> None:
        self._station = station
        self._access = access
        self._preferences = preferences
        self._exports = exports
        self._erasures = erasures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to a path under `/v1/users/`."""
        try:
            await self._answer(scope, receive, send)
        except (RequestRefusedError, AccessDeniedError) as refusal:
            await send_refusal(send, refusal)
        except SenderGoneError:
            return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, rest = _parts(scope)
        methods = METHODS.get(rest)
        if methods is None or not name:
            raise RequestRefusedError(404, "not_found", "There is nothing at this path.")
        if scope["method"] == _OPTIONS:
            await send_preflight(send, ", ".join([*methods, _OPTIONS]))
            return
        if scope["method"] not in methods:
            raise method_not_allowed([*methods, _OPTIONS])
        headers = dict(scope["headers"])
        self._access.check(headers, user_id := _decoded(name))
        try:
            check_user_id(user_id)
        except InvalidInputError as error:
            raise RequestRefusedError(400, "invalid_user", str(error)) from error
        if rest == "/data":
            now, _ = self._station.now()
            await self._exports.send(user_id, self._preferences.content(user_id), now, send)
        elif scope["method"] == "DELETE":
            request = await self._erasures.file_once(user_id)
            await send_json(send, 202, {"request_id": request.request_id, "status": "pending"})
        elif scope["method"] == "PUT":
            content = await self._changed(user_id, headers, receive)
            await send_json(send, 200, content)
        else:
            await send_json(send, 200, self._preferences.content(user_id))

    async def _changed(
        self, user_id: str, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Mapping[str, object]:
        bodies = self._station.bodies
        async with bodies.reading(headers, receive, most=MAX_BODY_BYTES, too_large=413) as body:
            return await self._preferences.change(user_id, body)


def _parts(scope: Scope) -> tuple[bytes, str]:
    """Return the name of the user in the path, as it came, and what follows it.

    A name may have a slash in it, which is only told from one of the path before it is decoded.
    """
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    name, slash, rest = path.removeprefix(PREFIX.encode()).partition(b"/")
    return name, (slash + rest).decode("latin-1")


def _decoded(name: bytes) -> str:
    try:
        return unquote_to_bytes(name).decode()
    except UnicodeDecodeError as error:
        text = "The user's id in the path is not percent-encoded UTF-8."
        raise RequestRefusedError(400, "invalid_user", text) from error
