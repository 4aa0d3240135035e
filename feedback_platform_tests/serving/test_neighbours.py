"""Workers of one server that tell each other things, in one process and in several."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from feedback_platform.serving.neighbours import (
    MAX_MESSAGE_BYTES,
    MAX_WAITING_BYTES,
    Neighbours,
    meeting_place,
)
from feedback_platform_tests.waiting import comes_true

TOPIC = b"news"


class Worker:
    """One of several, with what it heard."""

    def __init__(self, directory: Path) -> None:
        self.neighbours = Neighbours(directory)
        self.heard: list[bytes] = []
        self.neighbours.subscribe(TOPIC, self.heard.append)

    def tell(self, payload: bytes) -> None:
        self.neighbours.send(TOPIC, payload)

    def hears(self, *payloads: bytes) -> bool:
        self.neighbours.receive()
        return self.heard == list(payloads)


@asynccontextmanager
async def working(directory: Path) -> AsyncIterator[Worker]:
    worker = Worker(directory)
    worker.neighbours.start()
    try:
        yield worker
    finally:
        worker.neighbours.stop()


def sockets(directory: Path) -> int:
    return len(list(directory.iterdir()))


def play(scenario: Callable[[Path], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(30):
            with meeting_place() as directory:
                await scenario(directory)

    asyncio.run(within())


def test_what_one_tells_all_others_hear_and_it_does_not() -> None:
    async def scenario(directory: Path) -> None:
        async with working(directory) as one, working(directory) as two, working(directory) as last:
            # Whoever was there first knows the later ones from their greeting.
            one.neighbours.receive()
            two.neighbours.receive()
            for number, each in enumerate((one, two, last)):
                each.tell(b"%d" % number)
            assert one.hears(b"1", b"2")
            assert two.hears(b"0", b"2")
            assert last.hears(b"0", b"1")

    play(scenario)


def test_what_was_told_is_there_at_once_for_whoever_looks() -> None:
    async def scenario(directory: Path) -> None:
        async with working(directory) as one, working(directory) as two:
            two.tell(b"click")
            # Nothing was awaited: the event loop had no turn.
            assert one.hears(b"click")

    play(scenario)


def test_the_event_loop_hears_without_being_asked() -> None:
    async def scenario(directory: Path) -> None:
        async with working(directory) as one, working(directory) as two:
            two.tell(b"click")
            await comes_true(lambda: one.heard == [b"click"])

    play(scenario)


def test_a_burst_waits_for_a_neighbour_that_is_busy_and_arrives_in_order() -> None:
    async def scenario(directory: Path) -> None:
        async with working(directory) as one, working(directory) as two:
            sent = [b"%d" % number for number in range(2000)]
            for payload in sent:
                two.tell(payload)
            await comes_true(lambda: one.hears(*sent))
            assert two.neighbours.dropped == 0

    play(scenario)


def test_for_a_neighbour_that_stands_still_no_more_is_kept_than_fits_and_the_rest_is_counted() -> (
    None
):
    async def scenario(directory: Path) -> None:
        async with working(directory) as one, working(directory) as two:
            payload = bytes(MAX_MESSAGE_BYTES // 2)
            times = 2 * MAX_WAITING_BYTES // len(payload)
            for _ in range(times):
                two.tell(payload)
            dropped = two.neighbours.dropped
            assert times // 3 < dropped < times
            await comes_true(lambda: one.hears(*[payload] * (times - dropped)))

    play(scenario)


def test_a_message_that_is_too_long_is_dropped_and_counted_and_the_longest_is_not() -> None:
    async def scenario(directory: Path) -> None:
        async with working(directory) as one, working(directory) as two:
            longest = bytes(MAX_MESSAGE_BYTES - len(TOPIC) - 1)
            two.tell(longest + b"!")
            two.tell(longest)
            assert one.hears(longest)
            assert two.neighbours.dropped == 1

    play(scenario)


def test_a_dead_neighbour_is_forgotten_and_its_socket_cleared_away() -> None:
    async def scenario(directory: Path) -> None:
        left = directory / "dead"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
            dead.bind(str(left))
        async with working(directory) as one, working(directory) as two:
            assert not left.exists()
            two.tell(b"click")
            assert one.hears(b"click")
            assert two.neighbours.dropped == 0

    play(scenario)


def test_what_nobody_asked_for_and_what_a_handler_cannot_take_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_payload: bytes) -> None:
        raise ValueError("odd")

    async def scenario(directory: Path) -> None:
        async with working(directory) as one, working(directory) as two:
            one.neighbours.subscribe(b"odd", broken)
            two.neighbours.send(b"unknown", b"")
            two.neighbours.send(b"odd", b"")
            two.tell(b"click")
            assert one.hears(b"click")

    play(scenario)
    assert [record.message for record in caplog.records] == [
        "What a neighbour told of b'odd' cannot be taken."
    ]


def test_a_process_without_neighbours_tells_nobody() -> None:
    async def scenario(_directory: Path) -> None:
        alone = Neighbours(None)
        alone.start()
        alone.send(TOPIC, b"click")
        alone.receive()
        assert alone.dropped == 0
        alone.stop()

    play(scenario)


def test_a_worker_that_cannot_open_its_socket_works_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(_directory: Path) -> None:
        async with working(tmp_path / "gone") as one:
            one.tell(b"click")
            assert one.hears()

    play(scenario)
    assert [record.message for record in caplog.records] == [
        "This worker cannot hear of the others."
    ]


def test_only_this_user_may_enter_where_they_meet_and_nothing_is_left_of_it() -> None:
    with meeting_place() as directory:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        (directory / "left").touch()
    assert not directory.exists()


def test_a_deep_temporary_directory_leaves_room_for_the_names_of_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with meeting_place() as directory:
        assert len(str(directory)) <= 80


def _answer(directory: Path) -> None:
    """Be a worker in a process of its own, and answer questions."""

    async def work() -> None:
        async with working(directory) as worker:
            worker.tell(b"here")
            while True:
                await asyncio.sleep(0.001)
                while worker.heard:
                    if worker.heard.pop() == b"who?":
                        worker.tell(b"me")

    asyncio.run(work())


def test_processes_hear_each_other_and_outlive_one_that_is_killed() -> None:
    async def scenario(directory: Path) -> None:
        context = multiprocessing.get_context("spawn")
        others = [context.Process(target=_answer, args=(directory,), daemon=True) for _ in "ab"]
        async with working(directory) as one:
            for other in others:
                other.start()
            await comes_true(lambda: one.heard.count(b"here") == 2)
            one.tell(b"who?")
            await comes_true(lambda: one.heard.count(b"me") == 2)
            others[0].kill()
            others[0].join()
            one.tell(b"who?")
            await comes_true(lambda: one.heard.count(b"me") == 3)
            assert sockets(directory) == 2
            others[1].kill()
            others[1].join()

    play(scenario)
