"""The promise: nobody hears of success before the lines are durable, and everybody hears."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import LakeAccessError, LakeUnavailableError
from feedback_platform.ingestion.collector.audience import Accepted
from feedback_platform.ingestion.collector.group_commit import GroupCommit, new_instance
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake

NOW = datetime(2026, 5, 5, 10, 59, 59, 900_000, tzinfo=UTC)


class TroubledLake(Lake):
    """A lake whose next writes go wrong: before they did anything, or after they did it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.repetitions = 0
        self.gate = threading.Event()
        self.gate.set()

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        assert self.gate.wait(30)
        if self.before:
            raise self.before.pop(0)
        super().put(key, data, mode=mode)
        if self.repetitions:
            # As a store's client does that got no answer.
            self.repetitions -= 1
            super().put(key, data, mode=mode)
        if self.after:
            raise self.after.pop(0)


@pytest.fixture
def lake(tmp_path: Path) -> TroubledLake:
    return TroubledLake(tmp_path.as_uri())


def run(
    lake: Lake, scenario: Callable[[GroupCommit], Awaitable[None]], limits: Limits | None = None
) -> None:
    async def running() -> None:
        commit = GroupCommit(lake, instance="i1", limits=limits or Limits())
        commit.start()
        await scenario(commit)
        await commit.stop()
        assert commit.held_bytes == 0

    asyncio.run(running())


def stored(lake: Lake) -> dict[str, bytes]:
    return {key.rpartition("/")[2]: read_raw_object(lake, key) for key in list_raw_objects(lake)}


def name(number: int) -> str:
    return f"collector-i1-{number:010d}.ndjson.zst"


def test_what_is_answered_is_durable(lake: TroubledLake) -> None:
    async def scenario(commit: GroupCommit) -> None:
        await commit.store(b"a\n", NOW)
        assert stored(lake) == {name(0): b"a\n"}

    run(lake, scenario)


def test_requests_that_come_during_a_write_share_the_next_object(lake: TroubledLake) -> None:
    async def scenario(commit: GroupCommit) -> None:
        lake.gate.clear()
        first = asyncio.ensure_future(commit.store(b"first\n", NOW))
        await asyncio.sleep(0.05)
        others = [asyncio.ensure_future(commit.store(b"%d\n" % n, NOW)) for n in range(100)]
        await asyncio.sleep(0.05)
        assert not first.done()
        assert commit.held_bytes > 0
        lake.gate.set()
        await asyncio.gather(first, *others)

    run(lake, scenario)
    assert stored(lake) == {
        name(0): b"first\n",
        name(1): b"".join(b"%d\n" % number for number in range(100)),
    }


def test_an_hour_that_begins_in_between_gets_an_object_of_its_own(lake: TroubledLake) -> None:
    async def scenario(commit: GroupCommit) -> None:
        lake.gate.clear()
        waiting = [asyncio.ensure_future(commit.store(b"0\n", NOW))]
        await asyncio.sleep(0.05)
        later = NOW + timedelta(seconds=1)
        for line, at in ((b"before\n", NOW), (b"after\n", later), (b"too\n", NOW)):
            waiting.append(asyncio.ensure_future(commit.store(line, at)))
        await asyncio.sleep(0.05)
        lake.gate.set()
        await asyncio.gather(*waiting)

    run(lake, scenario)
    keys = sorted(list_raw_objects(lake))
    assert [key.split("/", 2)[2] for key in keys] == [
        f"dt=2026-05-05/hr=10/{name(0)}",
        f"dt=2026-05-05/hr=10/{name(1)}",
        f"dt=2026-05-05/hr=11/{name(2)}",
    ]
    assert stored(lake)[name(1)] == b"before\ntoo\n"
    assert stored(lake)[name(2)] == b"after\n"


@pytest.mark.parametrize(
    "trouble", [LakeUnavailableError("full"), LakeAccessError("no"), RuntimeError("a bug")]
)
def test_a_failed_write_is_told_to_all_who_wait_and_its_number_is_used_again(
    lake: TroubledLake, trouble: Exception
) -> None:
    async def scenario(commit: GroupCommit) -> None:
        lake.before = [trouble]
        outcomes = await asyncio.gather(
            *[commit.store(b"lost\n", NOW) for _ in range(3)], return_exceptions=True
        )
        for outcome in outcomes:
            assert isinstance(outcome, RequestRefusedError)
            assert outcome.status == 503
            assert int(dict(outcome.headers)[b"retry-after"]) > 0
        assert commit.is_failing
        await commit.store(b"kept\n", NOW)
        assert not commit.is_failing

    run(lake, scenario)
    assert stored(lake) == {name(0): b"kept\n"}


def test_a_write_that_failed_after_it_was_done_is_not_overwritten(lake: TroubledLake) -> None:
    async def scenario(commit: GroupCommit) -> None:
        lake.after = [LakeUnavailableError("the answer was lost")]
        with pytest.raises(RequestRefusedError):
            await commit.store(b"first\n", NOW)
        await commit.store(b"second\n", NOW)

    run(lake, scenario)
    assert stored(lake) == {name(0): b"first\n", name(1): b"second\n"}


def test_a_write_whose_repetition_met_itself_is_stored_once(
    lake: TroubledLake,
) -> None:
    async def scenario(commit: GroupCommit) -> None:
        lake.repetitions = 1
        await commit.store(b"a\n", NOW)

    run(lake, scenario)
    assert stored(lake) == {name(0): b"a\n"}


def test_a_store_that_hangs_is_told_in_time_and_what_waits_is_forgotten(lake: TroubledLake) -> None:
    async def scenario(commit: GroupCommit) -> None:
        lake.gate.clear()
        first = asyncio.ensure_future(commit.store(b"written in the end\n", NOW))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(commit.store(b"forgotten\n", NOW))
        for waiting in (first, second):
            with pytest.raises(RequestRefusedError, match="in time"):
                await waiting
        assert commit.is_failing
        lake.gate.set()
        await asyncio.sleep(0.1)
        assert commit.held_bytes == 0
        await commit.store(b"later\n", NOW)

    run(lake, scenario, Limits(wait_seconds=0.2))
    assert stored(lake) == {name(0): b"written in the end\n", name(1): b"later\n"}


def test_stopping_writes_what_has_arrived(lake: TroubledLake) -> None:
    waiting: list[asyncio.Future[None]] = []

    async def scenario(commit: GroupCommit) -> None:
        for number in range(50):
            waiting.append(asyncio.ensure_future(commit.store(b"%d\n" % number, NOW)))
            await asyncio.sleep(0)

    run(lake, scenario)
    assert len(b"".join(stored(lake).values()).splitlines()) == 50


@given(st.data())
def test_whatever_fails_the_acknowledged_lines_are_stored_once_or_more(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lake = TroubledLake(tmp_path_factory.mktemp("lake").as_uri())
    troubles = st.sampled_from(["none", "before", "after", "repeated"])
    acknowledged: set[bytes] = set()
    sent: set[bytes] = set()

    async def scenario(commit: GroupCommit) -> None:
        for burst in range(data.draw(st.integers(1, 5))):
            trouble = data.draw(troubles)
            lake.before = [LakeUnavailableError("x")] if trouble == "before" else []
            lake.after = [LakeUnavailableError("x")] if trouble == "after" else []
            lake.repetitions = int(trouble == "repeated")
            lines = [b"%d-%d\n" % (burst, number) for number in range(data.draw(st.integers(1, 4)))]
            outcomes = await asyncio.gather(
                *[commit.store(line, NOW) for line in lines], return_exceptions=True
            )
            sent.update(lines)
            acknowledged.update(
                line for line, outcome in zip(lines, outcomes, strict=True) if outcome is None
            )

    run(lake, scenario)
    objects = stored(lake)
    found = set(b"".join(objects.values()).splitlines(keepends=True))
    assert acknowledged <= found <= sent
    assert sorted(objects) == [name(number) for number in range(len(objects))]


def test_each_process_has_a_name_of_its_own() -> None:
    names = {new_instance(NOW) for _ in range(100)}
    assert len(names) == 100
    assert all(each.isalnum() and each.islower() | each.isdigit() for each in names)


def test_what_is_stored_is_told_before_its_senders_hear_and_what_failed_never_is(
    lake: TroubledLake,
) -> None:
    told: list[Accepted] = []
    one, two = Accepted("ada", "", b"1"), Accepted("bob", "", b"2")

    def tell(accepted: Sequence[Accepted]) -> None:
        assert not any(waiter.done() for waiter in waiting)
        told.extend(accepted)

    waiting: list[asyncio.Future[str | None]] = []

    async def scenario() -> None:
        commit = GroupCommit(lake, instance="i1", limits=Limits(), tell=tell)
        commit.start()
        lake.before = [LakeUnavailableError("no answer")]
        with pytest.raises(RequestRefusedError):
            await commit.durable(commit.take(b"0\n", NOW, [Accepted("ada", "", b"0")]))
        assert told == []
        waiting.extend(commit.take(each.line, NOW, [each]) for each in (one, two))
        for waiter in waiting:
            await commit.durable(waiter)
        await commit.store(b"3\n", NOW)
        await commit.stop()

    asyncio.run(scenario())
    assert told == [one, two]


def test_a_listener_that_fails_keeps_nothing_from_being_stored(
    lake: TroubledLake, caplog: pytest.LogCaptureFixture
) -> None:
    def tell(_accepted: Sequence[Accepted]) -> None:
        raise ValueError("odd")

    async def scenario() -> None:
        commit = GroupCommit(lake, instance="i1", limits=Limits(), tell=tell)
        commit.start()
        for _ in range(2):
            await commit.durable(commit.take(b"1\n", NOW, [Accepted("ada", "", b"1")]))
        await commit.stop()

    asyncio.run(scenario())
    assert len(stored(lake)) == 2
    assert "What was stored cannot be told." in caplog.text
