"""What a serving process knows of users: the newest publication, read beside the requests."""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from feedback_platform.adjustment.flags.context import Facts
from feedback_platform.privacy.preferences import Preferences, PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform_tests.serving.flag_server import apply_flags, evaluate
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer
from feedback_platform_tests.waiting import comes_true, until

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_users_are_strangers_before_the_first_publication(tmp_path: Path) -> None:
    users = PublishedUsers(tmp_path / "feedback.duckdb")
    asyncio.run(users.look())
    assert users.of("ada") == Facts()


def test_a_publication_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"
    users = PublishedUsers(path)
    publish_users(path, segments={"ada": "fans"}, opted_out=["eve"])
    asyncio.run(users.look())
    assert users.of("ada") == Facts(0, "fans")
    assert users.of("eve") == Facts(is_personalised=False)
    assert users.of("bob") == Facts()

    publish_users(path, segments={"bob": "fans", "eve": "fans"}, opted_out=["ada"])
    asyncio.run(users.look())
    assert users.of("ada") == Facts(is_personalised=False)
    assert users.of("bob") == users.of("eve") == Facts(0, "fans")


def test_every_switch_that_is_published_is_known(tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"
    users = PublishedUsers(path)
    change = PreferencesChange(research=False, signals={"click": False, "view": False})
    said = [
        PreferencesEntry("a", NOW, "ada", change),
        PreferencesEntry("b", NOW, "ada", PreferencesChange(signals={"view": True})),
    ]
    publish_users(path, segments={"ada": "fans"}, opted_out=["eve"], said=said)

    asyncio.run(users.look())

    expected = Preferences(allows_research=False, signals_off=frozenset({"click"}))
    assert users.preferences_of("ada") == expected
    assert users.preferences_of("eve") == Preferences(is_personalised=False)
    assert users.preferences_of("bob") == Preferences()
    assert users.of("ada") == Facts(0, "fans", allows_research=False)


def test_a_publication_that_cannot_be_read_leaves_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "feedback.duckdb"
    users = PublishedUsers(path)
    publish_users(path, segments={"ada": "fans"}, opted_out=[])
    asyncio.run(users.look())
    (tmp_path / "torn").write_bytes(b"no database")
    os.replace(tmp_path / "torn", path)  # noqa: PTH105 - as a publication is put in place

    with caplog.at_level(logging.WARNING):
        asyncio.run(users.look())
        asyncio.run(users.look())

    assert users.of("ada") == Facts(0, "fans")
    assert len(caplog.records) == 1
    publish_users(path, segments={"ada": "critics"}, opted_out=[])
    asyncio.run(users.look())
    assert users.of("ada") == Facts(0, "critics")


def test_nobody_is_personalised_until_the_users_were_read_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "feedback.duckdb"
    users = PublishedUsers(path)
    assert users.of("ada") == Facts(is_personalised=False)
    publish_users(path, segments={"ada": "fans"}, opted_out=["eve"])
    away = tmp_path / "tables"
    away.rename(tmp_path / "tables of before")
    with caplog.at_level(logging.WARNING):
        asyncio.run(users.look())
    assert users.of("ada") == users.of("eve") == Facts(is_personalised=False)

    # What failed for a passing reason is read although nothing new was published.
    (tmp_path / "tables of before").rename(away)
    for _ in range(3):
        asyncio.run(users.look())
    assert users.of("ada") == Facts(0, "fans")
    assert users.of("eve") == Facts(is_personalised=False)
    assert len(caplog.records) == 1


def test_requests_are_answered_while_users_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "feedback.duckdb"
    users = PublishedUsers(path, look_seconds=0.001)
    publish_users(path, segments={"ada": "fans"}, opted_out=[])
    may_read = asyncio.Event()
    original = duckdb.connect

    async def requests() -> None:
        loop = asyncio.get_running_loop()

        def slowly() -> duckdb.DuckDBPyConnection:
            asyncio.run_coroutine_threadsafe(may_read.wait(), loop).result()
            return original()

        monkeypatch.setattr(duckdb, "connect", slowly)
        starting = asyncio.create_task(users.start())
        for _ in range(20):
            await asyncio.sleep(0.001)
            # Who may have opted out is not personalised until it is known.
            assert users.of("ada") == Facts(is_personalised=False)
        may_read.set()
        await starting
        await comes_true(lambda: users.of("ada") == Facts(0, "fans"))
        await users.stop()

    asyncio.run(requests())


def test_a_new_segment_and_an_opt_out_change_the_answer_and_its_etag(
    fresh_server: RunningServer,
) -> None:
    path = fresh_server.settings.published_path
    apply_flags(fresh_server)
    until(lambda: evaluate(fresh_server, "fans").status == 200)
    before = evaluate(fresh_server).headers["etag"]
    assert evaluate(fresh_server, "fans").content["variant"] == "list"

    publish_users(path, segments={"ada": "fans"}, opted_out=[])
    until(lambda: evaluate(fresh_server, "fans").content["variant"] == "cards")
    as_fan = evaluate(fresh_server).headers["etag"]
    assert as_fan != before
    assert evaluate(fresh_server, "fans").content["reason"] == "TARGETING_MATCH"

    publish_users(path, segments={"ada": "fans"}, opted_out=["ada"])
    until(lambda: evaluate(fresh_server, "fans").content["variant"] == "list")
    assert evaluate(fresh_server, "fans").content["reason"] == "STATIC"
    assert evaluate(fresh_server, "rollout").content["reason"] == "STATIC"
    assert evaluate(fresh_server).headers["etag"] != as_fan
