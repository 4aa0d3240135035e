"""What the schema registry's endpoints share: reading a request, and answering in its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from feedback_platform.errors import FeedbackPlatformError, TransientError
from feedback_platform.events.registry.changes import Obstacle, RegistryOperationError
from feedback_platform.events.registry.registry import InvalidSubjectError
from feedback_platform.events.schemas.schema import (
    IncompatibleSchemaError,
    InvalidSchemaError,
    SchemaNotFoundError,
    SubjectNotFoundError,
    VersionNotFoundError,
)
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.serving.api_keys import ApiKeys

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
MAX_BODY_BYTES: Final = 1_000_000

_ACCEPTED: Final = (
    MEDIA_TYPE,
    "application/vnd.schemaregistry+json",
    "application/json",
    "application/octet-stream",
)
# Reading and comparing schemas may take a second or two of the processor, which Python gives to one
# thread at a time: one after the other they are done as soon, and take half as much of the others'
# time, the collector's above all. Who only asks for a schema does not wait for them.
_THREADS_FOR_SCHEMAS: Final = 1
_THREADS: Final = 4
# As long as a sender of events is waited for; then the store, or whoever is before, hangs.
_WAIT_SECONDS: Final = 8.0
_RETRY_AFTER_SECONDS: Final = 1
_LARGEST_NUMBER: Final = 2**31 - 1
_LONGEST_NUMBER: Final = 12


class RefusedError(Exception):
    """A request that the protocol answers with an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Call:
    """A request as an endpoint sees it.

    Attributes:
        path: the variable parts of the path, decoded.
        query: the parameters; the last of several with one name.
        body: the JSON object of the body, empty where the method has none.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    def flag(self, *names: str) -> bool:
        """Return whether one of some parameters is true, however a client spells that."""
        return any(self.query.get(name, "").lower() in ("true", "1") for name in names)

    def page(self, rows: list[Any]) -> list[Any]:
        """Return the part of a list that the parameters `offset` and `limit` ask for."""
        offset, limit = self._number("offset", 0), self._number("limit", -1)
        rest = rows[max(offset, 0) :]
        return rest if limit < 0 else rest[:limit]

    def _number(self, name: str, default: int) -> int:
        text = self.query.get(name) or str(default)
        number = whole_number(text.removeprefix("-"))
        if number is None:
            raise RefusedError(400, 400, f"{name} is {text[:50]!r}; it takes a whole number.")
        return -number if text.startswith("-") else number


Endpoint = Callable[[Call], Any]
Handler = Callable[[Request], Awaitable[Response]]


class RegistryHandlers:
    """Makes handlers of endpoints: key, body and errors are the same for all of them."""

    def __init__(self, api_keys: Mapping[str, str]) -> None:
        self._keys = ApiKeys(api_keys)
        self._threads = DaemonThreads("registry", most=_THREADS)
        self._threads_for_schemas = DaemonThreads("registry-schemas", most=_THREADS_FOR_SCHEMAS)

    def handler(
        self, endpoint: Endpoint, *, needs_key: bool = False, reads_schema: bool = False
    ) -> Handler:
        """Return what answers a request by an endpoint, which runs in a thread and may block.

        Args:
            endpoint: returns what becomes the JSON of the answer.
            needs_key: whether it changes something.
            reads_schema: whether it has to make sense of a schema that was sent.
        """
        threads = self._threads_for_schemas if reads_schema else self._threads

        async def handle(request: Request) -> Response:
            if needs_key and not self._keys.admit(request.headers):
                return error_response(401, 40101, "An API key is needed to change the registry.")
            try:
                body = await _read_body(request) if request.method in ("POST", "PUT") else {}
                call = Call(request.path_params, request.query_params, body)
                async with asyncio.timeout(_WAIT_SECONDS):
                    answer = await threads.run(partial(endpoint, call))
            except TimeoutError:
                return _failure_for_now(
                    "The schema registry does not answer in time; what was asked of it may be done "
                    "all the same. Try again."
                )
            except RefusedError as refused:
                return error_response(refused.status, refused.code, str(refused))
            except FeedbackPlatformError as error:
                return _failure(error)
            return Response(orjson.dumps(answer), media_type=MEDIA_TYPE)

        return handle


def whole_number(text: str) -> int | None:
    """Return the number from 0 that a text is, None if it is none or larger than any that is used.

    Python's own reading is not enough: it takes digits of all scripts, and refuses thousands of
    them.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        return None
    number = int(text)
    return number if number <= _LARGEST_NUMBER else None


def error_response(
    status: int, code: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error as the protocol says it: a code, finer than the status, and a text."""
    content = orjson.dumps({"error_code": code, "message": message})
    extra = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = 'Basic realm="schema registry"'
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=extra)


async def http_error(_request: Request, error: Exception) -> Response:
    """Answer for a path or method that there is not."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"{error.detail}." if error.detail else "The request was refused."
    return error_response(error.status_code, error.status_code, message, error.headers)


def _failure(error: FeedbackPlatformError) -> Response:
    """Answer for what the registry refused, or could not do."""
    if isinstance(error, TransientError):
        return _failure_for_now("The store of the schema registry failed; nothing was changed.")
    for kind, (status, code) in _CODES.items():
        if isinstance(error, kind):
            return error_response(status, code, str(error))
    if isinstance(error, RegistryOperationError):
        code = _OBSTACLES[error.reason]
        return error_response(code // 100, code, str(error))
    return error_response(500, 50001, "The store of the schema registry refused access.")


def _failure_for_now(text: str) -> Response:
    # The code is the protocol's for a failing store. The status says that trying again helps; the
    # clients retry both 500 and 503, and only the latter takes a Retry-After.
    return error_response(503, 50001, text, {"Retry-After": str(_RETRY_AFTER_SECONDS)})


# In this order: what has no subject or version is also a schema that was not found.
_CODES: Final[dict[type[FeedbackPlatformError], tuple[int, int]]] = {
    SubjectNotFoundError: (404, 40401),
    VersionNotFoundError: (404, 40402),
    SchemaNotFoundError: (404, 40403),
    IncompatibleSchemaError: (409, 40901),
    InvalidSchemaError: (422, 42201),
    InvalidSubjectError: (422, 42208),
}

_OBSTACLES: Final[dict[Obstacle, int]] = {
    "subject_deleted": 40404,
    "subject_not_deleted": 40405,
    "version_deleted": 40406,
    "version_not_deleted": 40407,
    "referenced": 42206,
}


async def _read_body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a body; a large one is refused before it is read or parsed."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type not in _ACCEPTED:
        raise RefusedError(415, 415, f"{media_type[:80]!r} is not accepted; send {MEDIA_TYPE}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, 415, "The body must not be compressed.")
    too_large = RefusedError(413, 413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES:
        raise too_large
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BODY_BYTES:
                raise too_large
    except ClientDisconnect as error:
        raise RefusedError(400, 400, "The request ended within its body.") from error
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, 400, f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise RefusedError(400, 400, "The body is not a JSON object.")
    return body
