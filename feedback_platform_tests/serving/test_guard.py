"""What has no bounds of its own has these: a handler that hangs, a crowd, a body without end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedback_platform.serving.guard import Bounds, Guard

Endpoint = Callable[[Request], Awaitable[Response]]


async def ask(guard: Guard, path: str = "/x", body: list[bytes] | None = None) -> tuple[int, Any]:
    """Status and content of the answer to a request with a body in pieces."""
    pieces = [b""] if body is None else body
    sent: list[Any] = []

    async def receive() -> Any:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(said: Any) -> None:
        sent.append(said)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    await guard(scope, receive, send)
    return sent[0]["status"], sent[-1]["body"]


def guarded(endpoint: Endpoint, bounds: Bounds) -> Guard:
    routes = [Route(path, endpoint, methods=["POST"]) for path in ("/x", "/healthz")]
    return Guard(Starlette(routes=routes), bounds)


async def hang(_request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def read(request: Request) -> Response:
    return Response(await request.body())


def test_a_handler_that_hangs_is_answered_after_its_time() -> None:
    status, body = asyncio.run(ask(guarded(hang, Bounds(seconds=0.01))))
    assert (status, orjson.loads(body)["code"]) == (503, "timeout")


def test_a_handler_that_hangs_after_it_read_is_answered_after_its_time() -> None:
    async def read_and_hang(request: Request) -> Response:
        await request.body()
        return await hang(request)

    guard = guarded(read_and_hang, Bounds(seconds=0.01))
    assert asyncio.run(ask(guard, body=[b"a", b"b"]))[0] == 503


def test_a_body_that_comes_slowly_is_waited_for() -> None:
    async def slowly() -> tuple[int, Any]:
        guard = guarded(read, Bounds(seconds=0.01))
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(0.05)
            return {"type": "http.request", "body": b"abc", "more_body": False}

        async def send(said: Any) -> None:
            sent.append(said)

        scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
        await guard(scope, receive, send)
        return sent[0]["status"], sent[-1]["body"]

    assert asyncio.run(slowly()) == (200, b"abc")


def test_an_answer_that_has_begun_is_not_cut() -> None:
    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"done"})

    assert asyncio.run(ask(Guard(answer, Bounds(seconds=0.01)))) == (200, b"done")


def test_a_time_out_of_the_handler_s_own_is_its_own() -> None:
    async def own(_scope: Any, _receive: Any, _send: Any) -> None:
        raise TimeoutError("of the handler")

    with pytest.raises(TimeoutError, match="of the handler"):
        asyncio.run(ask(Guard(own, Bounds(seconds=30))))


def test_of_a_crowd_some_are_told_to_come_back_but_no_load_balancer() -> None:
    async def crowd() -> None:
        guard = guarded(hang, Bounds(seconds=0.2, at_once=2))
        inside = [asyncio.create_task(ask(guard)) for _ in range(2)]
        await asyncio.sleep(0)
        status, body = await ask(guard)
        assert (status, orjson.loads(body)["code"]) == (503, "unavailable")
        # It gets in, and hangs there like the others.
        _, body = await ask(guard, "/healthz")
        assert orjson.loads(body)["code"] == "timeout"
        assert [status for status, _ in await asyncio.gather(*inside)] == [503, 503]
        # They have made room.
        assert orjson.loads((await ask(guard))[1])["code"] == "timeout"

    asyncio.run(crowd())


def test_a_body_is_read_up_to_its_bound() -> None:
    guard = guarded(read, Bounds(body_bytes=10))
    assert asyncio.run(ask(guard, body=[b"12345", b"67890"])) == (200, b"1234567890")
    status, _ = asyncio.run(ask(guard, body=[b"12345", b"678901", b"never read"]))
    assert status == 413
