"""What clients are told of how new the flags are, by two logs at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.experiments.definition import HoldOut
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.serving.experiment_feed import ExperimentFeed
from feedback_platform.serving.flag_feed import FlagFeed
from feedback_platform.serving.flag_news import FlagNews
from feedback_platform_tests.adjustment.flags.definitions import ADA, switch
from feedback_platform_tests.adjustment.flags.memory_store import MemoryStore
from feedback_platform_tests.experiments.arms import experiment

LATER = datetime(2026, 5, 1, tzinfo=UTC)


def news_of(store: MemoryStore) -> FlagNews:
    return FlagNews(FlagFeed(Flags(store)), ExperimentFeed(ExperimentLog(store)))


def begin(store: MemoryStore, key: str) -> None:
    author = Author("person:ada", "it was planned so", LATER)
    started = Started(experiment(key=key), HoldOut(), author, LATER)
    ExperimentLog(store).append(lambda _: started)


def test_the_tag_is_the_flags_position_until_there_are_experiments() -> None:
    store = MemoryStore()

    async def play() -> None:
        news = news_of(store)
        assert (news.tag, news.written_at) == ("0", None)
        Flags(store).apply({"switch": switch()}, ADA)
        await news.flags.start()
        await news.experiments.start()
        assert (news.tag, news.written_at) == ("1", ADA.at)
        heard = asyncio.ensure_future(news.next_change())
        begin(store, "a")
        await news.reach("1-1")
        await heard
        assert (news.tag, news.written_at) == ("1-1", LATER)
        await news.flags.stop()
        await news.experiments.stop()

    asyncio.run(play())


def test_two_processes_that_are_each_behind_in_another_log_are_not_equal() -> None:
    store = MemoryStore()
    Flags(store).apply({"switch": switch()}, ADA)
    begin(store, "a")

    async def play() -> None:
        first, second = news_of(store), news_of(store)
        for news in (first, second):
            await news.reach("1-1")
            await news.flags.start()
            await news.experiments.start()
            await news.flags.stop()
            await news.experiments.stop()
        Flags(store).apply({"other": switch("other")}, ADA)
        begin(store, "b")
        await first.flags.reach(2)
        await second.experiments.reach(2)
        assert {first.tag, second.tag} == {"2-1", "1-2"}
        await second.reach(first.tag)
        assert second.tag == "2-2"

    asyncio.run(play())


@pytest.mark.parametrize("tag", ["", "x", "-1", "1-", "1-1-1", "\u0661", "9" * 30])
def test_what_nobody_was_told_holds_nobody_up(tag: str) -> None:
    async def play() -> None:
        news = news_of(MemoryStore())
        await news.flags.start()
        async with asyncio.timeout(0.5):
            await news.reach(tag)
        await news.flags.stop()

    asyncio.run(play())
