"""Lists in the memory of a process: exchanged whole, whatever happens to the lake meanwhile."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from feedback_platform.errors import LakeUnavailableError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.publication import ListsPointer, publish_lists
from feedback_platform.serving.published_lists import PublishedLists
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists, write_made_up_lists
from feedback_platform_tests.serving.running import running_server
from feedback_platform_tests.waiting import comes_true, until

USERS = ["ada", "bob"]
LATER = datetime(2026, 3, 2, tzinfo=UTC)


class FarLake(Lake):
    """A lake on another machine, which may fail."""

    is_failing = False

    @property
    def directory(self) -> None:
        return None

    def find(self, key: str) -> bytes | None:
        if self.is_failing:
            raise LakeUnavailableError("The lake does not answer.")
        return super().find(key)


def torn(path: Path) -> None:
    path.write_bytes(b"torn")


def play(lake: Lake, tmp_path: Path, scenario: Callable[[PublishedLists], Awaitable[None]]) -> None:
    async def watched() -> None:
        lists = PublishedLists(lake, tmp_path / "cache", look_seconds=0.01)
        await lists.start()
        try:
            async with asyncio.timeout(30):
                await scenario(lists)
        finally:
            await lists.stop()

    asyncio.run(watched())


def version(lists: PublishedLists) -> str | None:
    return None if lists.current is None else lists.current.model_version


def test_lists_that_are_published_later_are_there_without_a_restart(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())

    async def scenario(lists: PublishedLists) -> None:
        assert lists.current is None
        for name in ("first", "second"):
            publish_made_up_lists(lake, USERS, model_version=name)
            await comes_true(lambda: version(lists) == name)  # noqa: B023 - asked at once

    play(lake, tmp_path, scenario)


def test_lists_are_awaited_until_it_is_known_which_there_are(tmp_path: Path) -> None:
    lake = FarLake((tmp_path / "lake").as_uri())
    publish_made_up_lists(lake, USERS, model_version="first")
    lake.is_failing = True

    async def scenario(lists: PublishedLists) -> None:
        assert lists.are_awaited
        lake.is_failing = False
        await comes_true(lambda: not lists.are_awaited)
        assert version(lists) == "first"
        # Once known, the last good ones go on.
        lake.is_failing = True
        await lists.look()
        assert not lists.are_awaited

    play(lake, tmp_path, scenario)


@pytest.mark.parametrize("are_damaged", [True, False])
def test_lists_that_nobody_could_serve_are_not_awaited(
    tmp_path: Path, *, are_damaged: bool
) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    if are_damaged:
        publish_made_up_lists(lake, USERS, model_version="first")
        for file in (tmp_path / "lake").rglob("*.lists"):
            torn(file)

    async def scenario(lists: PublishedLists) -> None:
        assert lists.current is None
        assert not lists.are_awaited

    play(lake, tmp_path, scenario)


def test_a_store_that_never_answers_is_not_awaited_for_ever(tmp_path: Path) -> None:
    lake = FarLake((tmp_path / "lake").as_uri())
    lake.is_failing = True
    seconds = [0.0]
    lists = PublishedLists(lake, tmp_path / "cache", clock=lambda: seconds[0])

    asyncio.run(lists.look())
    assert lists.are_awaited
    seconds[0] = 60.0
    assert not lists.are_awaited


def test_while_the_lake_fails_or_new_lists_are_damaged_the_last_good_ones_go_on_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = FarLake((tmp_path / "lake").as_uri())
    publish_made_up_lists(lake, USERS, model_version="good")

    async def scenario(lists: PublishedLists) -> None:
        assert version(lists) == "good"
        lake.is_failing = True
        await comes_true(lambda: "does not answer" in caplog.text)
        lake.is_failing = False
        lake.put(keys.online_lists_file(LATER, "torn"), b"torn", mode="create")
        pointer = f'{{"key": "{keys.online_lists_file(LATER, "torn")}"}}'.encode()
        lake.put(keys.online_lists_current(), pointer, mode="overwrite")
        await comes_true(lambda: "damaged" in caplog.text)
        await asyncio.sleep(0.1)
        assert version(lists) == "good"
        publish_made_up_lists(lake, USERS, model_version="better")
        await comes_true(lambda: version(lists) == "better")

    with caplog.at_level(logging.WARNING):
        play(lake, tmp_path, scenario)
    assert len(caplog.records) == 2


def test_lists_of_other_versions_come_with_the_champions_and_hold_nobody_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = FarLake((tmp_path / "lake").as_uri())

    def writes(version: str) -> Callable[[Path], None]:
        return partial(write_made_up_lists, user_ids=USERS, made_at=LATER, model_version=version)

    async def scenario(lists: PublishedLists) -> None:
        publish_lists(lake, writes("a"), LATER, {"b": writes("b")})
        await comes_true(lambda: set(lists.by_version) == {"a", "b"})
        assert version(lists) == "a"
        b = lists.by_version["b"]
        assert len(list((tmp_path / "cache").iterdir())) == 2

        publish_lists(lake, writes("c"), LATER, {"b": torn})
        await comes_true(lambda: version(lists) == "c")
        assert set(lists.by_version) == {"c"}
        assert b.model_version == "b"
        assert "damaged" in caplog.text

    play(lake, tmp_path, scenario)


def test_what_is_damaged_is_tried_again_less_and_less_often(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    publish_lists(lake, torn, LATER)
    now = 0.0
    tries: list[float] = []

    class Watched(PublishedLists):
        def _opened(self, key: str, pointer: ListsPointer) -> OnlineLists:
            tries.append(now)
            return super()._opened(key, pointer)

    async def scenario() -> None:
        nonlocal now
        lists = Watched(lake, tmp_path / "cache", clock=lambda: now)
        for second in range(200):
            now = float(second)
            await lists.look()
        assert tries == [0, 1, 3, 7, 15, 31, 63, 127, 191]
        publish_made_up_lists(lake, USERS, model_version="good")
        await lists.look()
        assert version(lists) == "good"

    asyncio.run(scenario())


def test_lists_from_elsewhere_are_copied_and_earlier_copies_removed(tmp_path: Path) -> None:
    lake = FarLake((tmp_path / "lake").as_uri())
    publish_made_up_lists(lake, USERS, model_version="first")

    async def scenario(lists: PublishedLists) -> None:
        publish_made_up_lists(lake, USERS, model_version="second")
        await comes_true(lambda: version(lists) == "second")
        assert len(copies()) == 1

    def copies() -> list[Path]:
        return list((tmp_path / "cache").iterdir())

    play(lake, tmp_path, scenario)


def test_requests_under_load_see_one_whole_version_each_while_lists_are_exchanged(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "data"
    lake = Lake((data_dir / "lake").as_uri())
    # Of each version the items have their own number, so a mixture would be seen.
    sizes = {f"v{items}": items for items in (40, 50, 60, 70, 80)}
    publish_made_up_lists(lake, USERS, model_version="v40", items=40)
    is_over = threading.Event()
    seen: list[tuple[str, int]] = []
    failures: list[object] = []

    with running_server(data_dir) as server:

        def ask() -> None:
            while not is_over.is_set():
                answer = server.ask("GET", "/v1/recommendations/nobody?limit=100&log=false")
                if answer.status != 200:
                    failures.append(answer)
                    continue
                content = answer.content
                seen.append((content["model_version"], len(content["items"])))

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for name, items in sizes.items():
            publish_made_up_lists(lake, USERS, model_version=name, items=items)
            until(lambda: any(version == name for version, _ in seen))  # noqa: B023 - asked at once
        is_over.set()
        for thread in threads:
            thread.join(30)

    assert failures == []
    assert set(seen) == set(sizes.items())
