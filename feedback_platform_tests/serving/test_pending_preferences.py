"""What users said since the last publication, in a process that looks for it and is told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.adjustment.flags.context import Facts
from feedback_platform.errors import LakeUnavailableError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.preferences import NOTHING_ALLOWED, Preferences, PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry, PreferencesLog
from feedback_platform.privacy.requests import ErasureRequest, close_request, file_request
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform_tests.serving.published_users import publish_users

ALL = Preferences()
OFF = Preferences(is_personalised=False)
NOW = datetime.now(UTC) - timedelta(minutes=5)


class Server:
    """What one process knows; it looks when it is told to."""

    def __init__(self, directory: Path) -> None:
        self.lake = Lake((directory / "lake").as_uri())
        self.path = directory / "feedback.duckdb"
        self.pending = PendingPreferences(self.lake, clock=lambda: NOW)
        self.users = PublishedUsers(self.path, self.pending)

    async def look(self) -> None:
        await self.pending.look()
        await self.users.look()

    def allows(self, user_id: str = "ada") -> Preferences:
        return self.users.preferences_of(user_id)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def said(
    name: str, user_id: str = "ada", *, personalisation: bool = False, seconds: float = 0.0
) -> PreferencesEntry:
    change = PreferencesChange(personalisation=personalisation)
    return PreferencesEntry(name, NOW + timedelta(seconds=seconds), user_id, change)


def write(lake: Lake, *entries: PreferencesEntry) -> None:
    for each in entries:
        PreferencesLog(lake).append(each)


def test_nothing_is_allowed_until_the_log_and_the_tables_were_read(server: Server) -> None:
    async def scenario() -> None:
        assert not server.users.are_known
        await server.users.look()
        assert server.allows() == NOTHING_ALLOWED
        assert server.users.of("ada") == Facts(is_personalised=False)

        await server.pending.look()

        assert server.users.are_known
        assert server.allows() == ALL

    asyncio.run(scenario())


def test_what_others_wrote_counts_from_the_next_look_on(server: Server) -> None:
    async def scenario() -> None:
        await server.look()
        write(server.lake, said("a"))

        await server.look()

        assert server.allows() == OFF
        assert server.users.of("ada") == Facts(is_personalised=False)
        assert server.allows("bob") == ALL

    asyncio.run(scenario())


def test_of_two_changes_the_later_counts_in_whatever_order_they_are_heard(server: Server) -> None:
    async def scenario() -> None:
        await server.look()
        server.pending.take([said("b", personalisation=True, seconds=1)])
        server.pending.take([said("a")])
        server.pending.take([said("a")])

        assert server.allows() == ALL
        assert server.pending.waiting("ada") == 2
        later = server.pending.new_entry("c", "ada", PreferencesChange(personalisation=False))
        server.pending.take([later])
        assert server.allows() == OFF

    asyncio.run(scenario())


def test_a_change_comes_after_what_was_said_by_a_clock_that_is_ahead(server: Server) -> None:
    async def scenario() -> None:
        await server.look()
        server.pending.take([said("ahead", seconds=7200)])

        on = server.pending.new_entry("then", "ada", PreferencesChange(personalisation=True))
        server.pending.take([on])

        assert server.allows() == ALL

    asyncio.run(scenario())


def test_a_change_counts_until_the_tables_have_it_and_no_longer(server: Server) -> None:
    entry = said("a")

    async def scenario() -> None:
        write(server.lake, entry)
        publish_users(server.path, segments={"ada": "fans"})
        await server.look()
        assert server.allows() == OFF

        publish_users(server.path, segments={"ada": "fans"}, said=[entry])
        await server.look()
        assert server.pending.waiting("ada") == 0
        assert server.allows() == OFF

        # What was said elsewhere comes with the tables, and is not held up by what is old.
        on = said("b", personalisation=True, seconds=5)
        publish_users(server.path, segments={"ada": "fans"}, said=[entry, on])
        await server.look()
        assert server.allows() == ALL
        assert server.users.of("ada") == Facts(0, "fans")

    asyncio.run(scenario())


def test_a_process_that_starts_knows_what_was_said_and_forgets_what_is_published(
    tmp_path: Path,
) -> None:
    first, second = said("a"), said("b", "bob")
    write(Server(tmp_path).lake, first, second)
    restarted = Server(tmp_path)
    publish_users(restarted.path, said=[second])

    async def scenario() -> None:
        await restarted.pending.start()
        await restarted.users.start()
        assert restarted.allows("ada") == restarted.allows("bob") == OFF
        assert restarted.pending.waiting("ada") == 1
        assert restarted.pending.waiting("bob") == 0
        await restarted.users.stop()
        await restarted.pending.stop()

    asyncio.run(scenario())


def test_an_entry_that_is_read_late_is_not_taken_for_news(server: Server) -> None:
    entry = said("a")

    async def scenario() -> None:
        on = said("b", personalisation=True, seconds=5)
        publish_users(server.path, said=[entry, on])
        await server.look()
        # Nothing else is published meanwhile.
        write(server.lake, entry)
        await server.look()
        assert server.pending.waiting("ada") == 0
        assert server.allows() == ALL

    asyncio.run(scenario())


def test_nothing_is_done_with_who_is_about_to_be_erased(server: Server) -> None:
    async def scenario() -> None:
        write(server.lake, said("a", personalisation=True))
        await server.look()
        request = file_request(server.lake, ["ada", "anonymous:d-1"], now=NOW)
        await server.look()

        assert server.allows("ada") == server.allows("anonymous:d-1") == NOTHING_ALLOWED
        assert server.pending.is_leaving("ada")
        assert server.allows("bob") == ALL

        # As an erasure ends: its entries go, it is closed, and the tables are new ones.
        server.lake.delete(server.lake.list_keys(keys.PREFERENCES))
        close_request(server.lake, request.request_id)
        await server.pending.look()
        assert server.allows() == NOTHING_ALLOWED
        await server.users.look()
        assert server.allows() == ALL
        assert server.pending.waiting("ada") == 0

    asyncio.run(scenario())


def test_a_request_that_is_withdrawn_leaves_what_was_said(server: Server) -> None:
    async def scenario() -> None:
        write(server.lake, said("a"))
        request = file_request(server.lake, ["ada"], now=NOW)
        await server.look()
        assert server.allows() == NOTHING_ALLOWED

        close_request(server.lake, request.request_id)
        await server.look()

        assert server.allows() == OFF

    asyncio.run(scenario())


def test_a_request_that_is_filed_during_a_look_is_not_forgotten(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Lake.list_keys
    filed: list[ErasureRequest] = []

    async def scenario() -> None:
        await server.look()
        loop = asyncio.get_running_loop()

        async def file() -> None:
            filed.append(file_request(server.lake, ["ada"], now=NOW))
            server.pending.take_request(filed[0])

        def listing(lake: Lake, prefix: str, *, after: str | None = None) -> list[str]:
            found = original(lake, prefix, after=after)
            if prefix == keys.ERASURE_REQUESTS and not filed:
                asyncio.run_coroutine_threadsafe(file(), loop).result()
            return found

        monkeypatch.setattr(Lake, "list_keys", listing)
        await server.look()
        assert filed
        assert server.allows() == NOTHING_ALLOWED
        await server.look()
        assert server.allows() == NOTHING_ALLOWED
        close_request(server.lake, filed[0].request_id)
        await server.look()
        assert server.allows() == ALL

    asyncio.run(scenario())


def test_when_the_store_fails_what_is_known_goes_on(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_lake: Lake, prefix: str, *, after: str | None = None) -> list[str]:
        raise LakeUnavailableError(f"{prefix} behind {after} failed")

    async def scenario() -> None:
        write(server.lake, said("a"))
        await server.look()
        with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
            patch.setattr(Lake, "list_keys", failing)
            await server.look()
            await server.look()
            assert server.allows() == OFF
        write(server.lake, said("b", "bob"))
        await server.look()
        assert server.allows("bob") == OFF

    asyncio.run(scenario())
    assert len(caplog.records) == 1


def test_what_the_tables_have_leaves_the_lake_after_a_day(tmp_path: Path) -> None:
    published, needed = said("a"), said("b", "bob")
    lake = Lake((tmp_path / "lake").as_uri())
    write(lake, published, needed)
    path = tmp_path / "feedback.duckdb"
    publish_users(path, said=[published])
    now = [NOW]

    def looked(clock: Callable[[], datetime]) -> None:
        pending = PendingPreferences(lake, clock=clock)
        users = PublishedUsers(path, pending)

        async def scenario() -> None:
            for _ in range(2):
                await pending.look()
                await users.look()
                pending._tidied_at = -1e9

        asyncio.run(scenario())

    looked(lambda: now[0])
    assert len(lake.list_keys(keys.PREFERENCES)) == 2
    now[0] += timedelta(days=1, minutes=1)
    looked(lambda: now[0])
    assert lake.list_keys(keys.PREFERENCES) == [needed.key]
