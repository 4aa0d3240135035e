"""Writing when much comes at once, when an object cannot be read back, and when the end comes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from feedback_platform.errors import (
    FeedbackPlatformError,
    LakeAccessError,
    LakeUnavailableError,
)
from feedback_platform.ingestion.collector.group_commit import GroupCommit
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake

NOW = datetime(2026, 5, 5, 10, tzinfo=UTC)
MEGABYTE = 1 << 20


class StrainedLake(Lake):
    """A lake that hangs while its gate is shut, loses answers, and may not be readable."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.gate = threading.Event()
        self.gate.set()
        self.lost_answers = 0
        self.unreadable: FeedbackPlatformError | None = None

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        assert self.gate.wait(30)
        super().put(key, data, mode=mode)
        if self.lost_answers:
            self.lost_answers -= 1
            raise LakeUnavailableError("the answer was lost")

    def get(self, key: str) -> bytes:
        if self.unreadable is not None:
            raise self.unreadable
        return super().get(key)


@pytest.fixture
def lake(tmp_path: Path) -> StrainedLake:
    return StrainedLake(tmp_path.as_uri())


def stored(lake: Lake) -> list[bytes]:
    return [read_raw_object(lake, key) for key in list_raw_objects(lake)]


def test_no_object_becomes_larger_than_a_full_one_and_one_request(lake: StrainedLake) -> None:
    request = b"x" * (3 * MEGABYTE - 1) + b"\n"

    async def scenario() -> None:
        commit = GroupCommit(lake, instance="i1", limits=Limits())
        commit.start()
        lake.gate.clear()
        waiting = [asyncio.ensure_future(commit.store(b"first\n", NOW))]
        await asyncio.sleep(0.05)
        waiting += [asyncio.ensure_future(commit.store(request, NOW)) for _ in range(7)]
        await asyncio.sleep(0.05)
        lake.gate.set()
        await asyncio.gather(*waiting)
        await commit.stop()
        assert commit.held_bytes == 0

    asyncio.run(scenario())
    # Three megabytes are not full yet, six are.
    assert [len(each) for each in stored(lake)] == [
        6,
        6 * MEGABYTE,
        6 * MEGABYTE,
        6 * MEGABYTE,
        3 * MEGABYTE,
    ]


def test_more_than_may_be_held_is_turned_away_but_what_comes_alone_is_taken(
    lake: StrainedLake,
) -> None:
    async def scenario() -> None:
        commit = GroupCommit(lake, instance="i1", limits=Limits(held_bytes=10))
        commit.start()
        await commit.store(b"longer than ten bytes\n", NOW)
        lake.gate.clear()
        waiting = [asyncio.ensure_future(commit.store(b"12345\n", NOW))]
        await asyncio.sleep(0)
        with pytest.raises(RequestRefusedError) as refused:
            await commit.store(b"1234\n", NOW)
        assert refused.value.status == 503
        waiting.append(asyncio.ensure_future(commit.store(b"123\n", NOW)))
        await asyncio.sleep(0)
        lake.gate.set()
        await asyncio.gather(*waiting)
        await commit.stop()

    asyncio.run(scenario())
    assert b"".join(stored(lake)) == b"longer than ten bytes\n12345\n123\n"


def test_an_object_that_may_not_be_read_back_holds_up_nothing(lake: StrainedLake) -> None:
    async def scenario() -> None:
        commit = GroupCommit(lake, instance="i1", limits=Limits())
        commit.start()
        lake.lost_answers = 1
        lake.unreadable = LakeAccessError("write only")
        with pytest.raises(RequestRefusedError):
            await commit.store(b"first\n", NOW)
        await commit.store(b"second\n", NOW)
        await commit.store(b"third\n", NOW)
        await commit.stop()

    asyncio.run(scenario())
    lake.unreadable = None
    assert stored(lake) == [b"first\n", b"second\n", b"third\n"]


def test_an_object_that_cannot_be_read_back_for_now_keeps_its_number(lake: StrainedLake) -> None:
    async def scenario() -> None:
        commit = GroupCommit(lake, instance="i1", limits=Limits())
        commit.start()
        lake.lost_answers = 1
        lake.unreadable = LakeUnavailableError("a moment")
        for _ in range(3):
            with pytest.raises(RequestRefusedError):
                await commit.store(b"the same\n", NOW)
        lake.unreadable = None
        await commit.store(b"the same\n", NOW)
        await commit.stop()

    asyncio.run(scenario())
    assert stored(lake) == [b"the same\n"]


def test_the_end_does_not_wait_for_a_store_that_hangs(lake: StrainedLake) -> None:
    async def scenario() -> None:
        commit = GroupCommit(lake, instance="i1", limits=Limits(wait_seconds=0.2))
        commit.start()
        lake.gate.clear()
        first = asyncio.ensure_future(commit.store(b"being written\n", NOW))
        await asyncio.sleep(0.05)
        stopping = asyncio.ensure_future(commit.stop())
        # Somebody comes when it is nearly over.
        await asyncio.sleep(2.1)
        last = asyncio.ensure_future(commit.store(b"too late\n", NOW))
        await stopping
        for waiting in (first, last):
            with pytest.raises(RequestRefusedError, match="in time"):
                await asyncio.wait_for(waiting, 0.05)
        assert commit.held_bytes == 0

    began = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - began < 4
    lake.gate.set()


_HANGING_PROGRAM = """
import asyncio, sys, threading
from datetime import UTC, datetime
from feedback_platform.ingestion.collector.group_commit import GroupCommit
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.lake.store import Lake

class HangingLake(Lake):
    def put(self, key, data, *, mode):
        threading.Event().wait()

async def main():
    commit = GroupCommit(HangingLake(sys.argv[1]), instance="i1", limits=Limits(wait_seconds=0.1))
    commit.start()
    stored = asyncio.ensure_future(commit.store(b"a", datetime.now(UTC)))
    await asyncio.sleep(0.05)
    await commit.stop()
    try:
        await stored
    except RequestRefusedError:
        print("turned away")

asyncio.run(main())
"""


def test_a_store_that_hangs_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _HANGING_PROGRAM, tmp_path.as_uri()],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert ended.stdout == "turned away\n"
