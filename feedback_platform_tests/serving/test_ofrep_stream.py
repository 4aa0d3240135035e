"""The stream of changed flags: who hears what, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.lake.store import Lake
from feedback_platform.serving.experiment_feed import ExperimentFeed
from feedback_platform.serving.flag_feed import FlagFeed
from feedback_platform.serving.flag_news import FlagNews
from feedback_platform.serving.ofrep_answers import OfrepRefusal
from feedback_platform.serving.ofrep_stream import FlagStreams
from feedback_platform_tests.adjustment.flags.definitions import ADA, switch
from feedback_platform_tests.serving.flag_server import (
    STREAM,
    apply_flags,
    evaluate,
    flags_of,
    opened_stream,
)
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "before") as before:
        apply_flags(before)
    # Started with flags, so that nothing has changed since.
    with running_server(tmp_path / "before") as running:
        yield running


def switch_to(server: RunningServer, variant: str) -> None:
    flags_of(server).edit("switch", lambda old: with_default(old, variant), ADA)


def test_everybody_who_listens_hears_of_a_change(server: RunningServer) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(opened_stream(server)) for _ in range(5)]
        for stream in streams:
            assert stream.status == 200
            assert stream.headers["content-type"] == "text/event-stream"
            assert stream.headers["access-control-allow-origin"] == "*"
            assert stream.next_piece() == b"retry: 3000\n\n"
        switch_to(server, "on")
        for stream in streams:
            message = stream.next_message()
            assert message["id"] == 2
            assert message["data"] == {
                "type": "refetchEvaluation",
                "etag": "2",
                "lastModified": "2026-03-01T12:00:00+00:00",
            }
    # Whoever heard of it gets it.
    assert evaluate(server, "switch").content["value"] is True


def test_who_comes_back_hears_at_once_what_he_missed(server: RunningServer) -> None:
    with opened_stream(server, headers="last-event-id: 0\r\n") as stream:
        assert stream.next_message()["id"] == 1
    with opened_stream(server, headers="last-event-id: 1\r\n") as stream:
        assert stream.next_piece() == b"retry: 3000\n\n"


def test_a_change_between_evaluation_and_stream_is_not_lost(server: RunningServer) -> None:
    switch_to(server, "on")
    until(lambda: evaluate(server, "switch").content["value"] is True)
    with opened_stream(server) as stream:
        assert stream.next_message()["id"] == 2


def test_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # It fails when the server does not stop.
        with running_server(tmp_path / "data") as server:
            stream = stack.enter_context(opened_stream(server))
            stream.next_piece()
        with pytest.raises(EOFError):
            stream.next_message()


async def told(
    streams: FlagStreams, *, pieces: int, client: str | None = None, address: str = "192.0.2.1"
) -> bytes:
    """What a stream says first, until its client goes."""
    said = bytearray()
    gone = asyncio.Event()
    count = 0

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal count
        said.extend(message.get("body", b""))
        count += 1
        if count > pieces:
            gone.set()

    scope = {"type": "http", "headers": [], "client": (address, 1)}
    await streams(scope, receive, send, client)
    return bytes(said)


@pytest.fixture
def news(tmp_path: Path) -> FlagNews:
    lake = Lake((tmp_path / "lake").as_uri())
    return FlagNews(FlagFeed(Flags(lake)), ExperimentFeed(ExperimentLog(lake)))


def test_a_stream_on_which_nothing_happens_shows_that_it_lives(news: FlagNews) -> None:
    streams = FlagStreams(news, heartbeat_seconds=0.001)
    assert asyncio.run(told(streams, pieces=3)).startswith(b"retry: 3000\n\n:\n\n:\n\n")


def test_there_are_not_more_streams_than_that_and_who_goes_makes_room(news: FlagNews) -> None:
    streams = FlagStreams(news, most=1, heartbeat_seconds=0.001)

    async def crowd() -> None:
        first = asyncio.create_task(told(streams, pieces=50))
        await asyncio.sleep(0)
        with pytest.raises(OfrepRefusal) as caught:
            await told(streams, pieces=1)
        assert caught.value.status == 503
        assert caught.value.headers[0][0] == b"retry-after"
        await first
        assert await told(streams, pieces=1)

    asyncio.run(crowd())


def test_no_address_takes_the_streams_of_others(news: FlagNews) -> None:
    streams = FlagStreams(news, most_of_address=1, heartbeat_seconds=0.001)

    async def crowd() -> None:
        first = asyncio.create_task(told(streams, pieces=50))
        await asyncio.sleep(0)
        with pytest.raises(OfrepRefusal, match="of this address") as caught:
            await told(streams, pieces=1)
        assert caught.value.status == 429
        assert caught.value.headers[0][0] == b"retry-after"
        assert await told(streams, pieces=1, address="198.51.100.1")
        await first
        assert await told(streams, pieces=1)

    asyncio.run(crowd())


def test_no_key_takes_the_streams_of_others(news: FlagNews) -> None:
    streams = FlagStreams(news, most_of_key=1, heartbeat_seconds=0.001)

    async def crowd() -> None:
        first = asyncio.create_task(told(streams, pieces=50, client="web"))
        await asyncio.sleep(0)
        with pytest.raises(OfrepRefusal, match="of this key"):
            await told(streams, pieces=1, client="web", address="198.51.100.1")
        assert await told(streams, pieces=1, client="mobile")
        await first
        assert await told(streams, pieces=1, client="web")

    asyncio.run(crowd())


def test_who_reads_slowly_hears_the_newest_once(news: FlagNews, tmp_path: Path) -> None:
    flags = Flags(Lake((tmp_path / "lake").as_uri()))
    said: list[bytes] = []

    async def slowly() -> None:
        await news.flags.start()
        is_free, has_begun, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message.get("body", b""))
            if len(said) == 2:
                has_begun.set()
                await is_free.wait()
            if len(said) == 3:
                gone.set()

        stream = asyncio.create_task(
            FlagStreams(news)({"type": "http", "headers": []}, receive, send)
        )
        await has_begun.wait()
        for position in (1, 2, 3):
            flags.apply({f"s{position}": switch(f"s{position}")}, ADA)
            await news.reach(str(position))
        is_free.set()
        await stream
        await news.flags.stop()

    asyncio.run(slowly())
    assert [piece[:5] for piece in said[1:3]] == [b"retry", b"id: 3"]
    assert said[3:] == [b""]


def test_the_stream_of_a_server_without_keys_needs_no_token(server: RunningServer) -> None:
    with opened_stream(server, f"{STREAM}?token=anything") as stream:
        assert stream.status == 200
