"""GET of a user's data: a few at a time, streamed, cut short rather than wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.privacy.user_export import UserExport
from feedback_platform.serving.exports import AT_ONCE
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.test_pending_preferences import said
from feedback_platform_tests.serving.users import (
    ADMINISTRATOR,
    GUARDED,
    bearer,
    path_of,
    put,
)
from feedback_platform_tests.waiting import until

PATH = path_of("ada", "/data")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data", GUARDED) as running:
        yield running


def data(server: RunningServer, user_id: str = "ada") -> Any:
    """The document, by a client that knows of chunks."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", path_of(user_id, "/data"), headers=bearer(user_id))
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        return json.loads(answer.read())


def publish_many(server: RunningServer, count: int) -> None:
    """A publication in which ada did a lot."""
    path = server.settings.published_path
    publish_users(path, said=[said("a"), said("e", "eve")])
    (events,) = (path.parent / "tables").glob("interaction.interactions-*.parquet")
    ada = pl.read_parquet(events).filter(user_id="ada")
    others = pl.read_parquet(events).filter(user_id="eve")
    many = pl.concat([others, *[ada] * count]).drop("event_id").with_row_index("event_id")
    many.with_columns(pl.col("event_id").cast(pl.String)).write_parquet(events)


def test_a_user_reads_what_is_known_and_what_they_allow_now(guarded: RunningServer) -> None:
    publish_users(guarded.settings.published_path, segments={"ada": "fans", "eve": "critics"})
    put(guarded, {"research": False})

    document = data(guarded)

    (preferences,) = document["preferences"]["rows"]
    assert preferences["research"] is False
    (segment,) = document["segment"]["rows"]
    assert (segment["user_id"], segment["name"]) == ("ada", "fans")
    assert document["recommendations"]["rows"] == []


def test_before_anything_is_published_there_is_a_document(guarded: RunningServer) -> None:
    assert data(guarded)["interactions"]["rows"] == []
    assert data(guarded, "anonymous:ö/1")["user_id"] == "anonymous:ö/1"


def test_only_the_user_and_administrators_read_it(guarded: RunningServer) -> None:
    assert guarded.ask("GET", PATH).status == 401
    assert guarded.ask("GET", PATH, headers=bearer("eve")).status == 403
    assert guarded.ask("GET", PATH, headers=ADMINISTRATOR).status == 200
    assert guarded.ask("POST", PATH, {}, ADMINISTRATOR).status == 405


def test_who_reads_slowly_takes_a_place_and_gives_it_back(guarded: RunningServer) -> None:
    publish_many(guarded, 40_000)
    slow = []
    for _ in range(AT_ONCE):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", guarded.port))
        head = "".join(f"{name}: {value}\r\n" for name, value in bearer("ada").items())
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        slow.append(connection)

    refused = guarded.ask("GET", PATH, headers=bearer("ada"))
    assert (refused.status, refused.content["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0

    for connection in slow:
        connection.close()
    until(lambda: guarded.ask("GET", PATH, headers=bearer("ada")).status == 200)
    assert len(data(guarded)["interactions"]["rows"]) == 40_000
    assert len(data(guarded, "eve")["interactions"]["rows"]) == 1


def test_tables_that_cannot_be_read_are_told_of(guarded: RunningServer) -> None:
    path = guarded.settings.published_path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database")

    answer = guarded.ask("GET", PATH, headers=bearer("ada"))

    assert (answer.status, answer.content["code"]) == (503, "unavailable")


def test_what_fails_on_its_way_is_cut_short(
    guarded: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_export: UserExport) -> Iterator[bytes]:
        yield b'{"user_id":'
        raise duckdb.IOException("the disk failed")

    monkeypatch.setattr(UserExport, "pieces", failing)
    with closing(HTTPConnection("127.0.0.1", guarded.port, timeout=30)) as connection:
        connection.request("GET", PATH, headers=bearer("ada"))
        with pytest.raises(IncompleteRead):
            connection.getresponse().read()
