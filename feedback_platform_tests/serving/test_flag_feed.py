"""The flags of a serving process while the store fails, is slow, or holds something torn."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

import pytest

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.lake import keys
from feedback_platform.serving.flag_feed import FlagFeed
from feedback_platform_tests.adjustment.flags.definitions import ADA, switch
from feedback_platform_tests.adjustment.flags.memory_store import MemoryStore
from feedback_platform_tests.waiting import comes_true

SWITCH = {"switch": switch()}


def watched(
    store: MemoryStore, scenario: Callable[[FlagFeed], Awaitable[None]], **settings: float
) -> None:
    """Play a scenario with a feed that looks all the time."""

    async def play() -> None:
        feed = FlagFeed(Flags(store), **{"look_seconds": 0.01} | settings)
        await feed.start()
        try:
            async with asyncio.timeout(30):
                await scenario(feed)
        finally:
            await feed.stop()

    asyncio.run(play())


def current(feed: FlagFeed) -> FlagSet:
    assert feed.current is not None
    return feed.current


async def default_is(feed: FlagFeed, default: str) -> None:
    await comes_true(lambda: current(feed).flags["switch"].flag.default == default)


def turn(store: MemoryStore, variant: str) -> None:
    Flags(store).edit("switch", lambda old: with_default(old, variant), ADA)


def test_a_change_is_there_without_a_request_that_asks_for_it() -> None:
    store = MemoryStore()
    Flags(store).apply(SWITCH, ADA)

    async def scenario(feed: FlagFeed) -> None:
        assert current(feed).position == 1
        changed = asyncio.Event()
        feed.tell(changed.set)
        turn(store, "on")
        await changed.wait()
        await default_is(feed, "on")

    watched(store, scenario)


def test_while_the_store_fails_the_last_good_state_goes_on_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    Flags(store).apply(SWITCH, ADA)

    async def scenario(feed: FlagFeed) -> None:
        store.is_failing = True
        reads = store.reads
        await comes_true(lambda: store.reads >= reads + 3)
        assert current(feed).flags["switch"].flag.default == "off"
        store.is_failing = False
        turn(store, "on")
        await default_is(feed, "on")

    with caplog.at_level(logging.WARNING):
        watched(store, scenario)
    (record,) = caplog.records
    assert "the last ones go on" in record.getMessage()


def test_what_was_first_read_after_a_failure_is_news_to_who_was_answered_without() -> None:
    store = MemoryStore()
    Flags(store).apply(SWITCH, ADA)
    store.is_failing = True

    async def scenario(feed: FlagFeed) -> None:
        assert feed.current is None
        told = asyncio.Event()
        feed.tell(told.set)
        store.is_failing = False
        await told.wait()
        assert current(feed).position == 1

    watched(store, scenario)


def test_a_torn_entry_is_warned_of_once_and_what_follows_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    Flags(store).apply(SWITCH, ADA)

    async def scenario(feed: FlagFeed) -> None:
        store.put(keys.flag_entry(2), b'{"at": "20', mode="create")
        await feed.reach(2)
        assert current(feed).flags["switch"].flag.default == "off"
        turn(store, "on")
        await default_is(feed, "on")

    with caplog.at_level(logging.WARNING):
        watched(store, scenario)
    (record,) = caplog.records
    assert keys.flag_entry(2) in record.getMessage()


def test_a_server_starts_without_its_store_and_has_the_flags_later() -> None:
    store = MemoryStore()
    Flags(store).apply(SWITCH, ADA)
    store.is_failing = True

    async def scenario(feed: FlagFeed) -> None:
        assert feed.current is None
        store.is_failing = False
        await comes_true(lambda: feed.current is not None)

    watched(store, scenario)


def test_who_knows_of_a_change_waits_for_one_look_and_not_for_the_next_one() -> None:
    store = MemoryStore()
    Flags(store).apply(SWITCH, ADA)

    async def scenario(feed: FlagFeed) -> None:
        turn(store, "on")
        await feed.reach(2)
        assert current(feed).flags["switch"].flag.default == "on"
        # What nobody ever wrote is not waited for.
        await feed.reach(99)

    watched(store, scenario, look_seconds=1000)


def test_however_many_know_of_a_change_the_store_is_asked_seldom() -> None:
    store = MemoryStore()

    async def scenario(feed: FlagFeed) -> None:
        reads = store.reads
        await asyncio.gather(*[feed.reach(99) for _ in range(500)])
        assert store.reads - reads <= 3

    watched(store, scenario, look_seconds=1000)


def test_a_store_that_hangs_holds_no_request_up() -> None:
    store = MemoryStore()
    Flags(store).apply(SWITCH, ADA)
    release = threading.Event()

    async def scenario(feed: FlagFeed) -> None:
        store.before_find = release.wait
        await comes_true(lambda: store.is_waiting)
        assert current(feed).flags["switch"].flag.default == "off"
        release.set()

    watched(store, scenario)
