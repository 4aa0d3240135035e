"""GET of a user's data: a few at a time, streamed, cut short rather than wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
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


def publish_many(server: RunningServer, count: int, others: Sequence[str] = ()) -> None:
    """A publication in which ada did a lot, and so did some others."""
    path = server.settings.published_path
    publish_users(path, said=[said("a"), said("e", "eve")])
    (events,) = (path.parent / "tables").glob("interaction.interactions-*.parquet")
    ada = pl.read_parquet(events).filter(user_id="ada")
    eve = pl.read_parquet(events).filter(user_id="eve")
    busy = [ada, *(ada.with_columns(user_id=pl.lit(other)) for other in others)]
    many = pl.concat([eve, *busy * count]).drop("event_id").with_row_index("event_id")
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


def read_slowly(server: RunningServer, user_id: str) -> socket.socket:
    """A connection on which an answer has begun, of which nobody reads more."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", server.port))
    head = "".join(f"{name}: {value}\r\n" for name, value in bearer(user_id).items())
    path = path_of(user_id, "/data")
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
    assert connection.recv(15) == b"HTTP/1.1 200 OK"
    return connection


def test_who_reads_slowly_takes_one_place_and_gives_it_back(guarded: RunningServer) -> None:
    publish_many(guarded, 40_000)
    slow = read_slowly(guarded, "ada")

    refused = guarded.ask("GET", PATH, headers=bearer("ada"))
    assert (refused.status, refused.content["code"]) == (429, "already_under_way")
    assert int(refused.headers["retry-after"]) > 0
    assert len(data(guarded, "eve")["interactions"]["rows"]) == 1

    slow.close()
    read: list[Any] = []

    def is_read() -> bool:
        with suppress(AssertionError):
            # Where the place is not free yet.
            read.append(data(guarded))
        return bool(read)

    until(is_read)
    assert len(read[0]["interactions"]["rows"]) == 40_000


def test_when_all_places_are_taken_others_are_asked_to_come_again(guarded: RunningServer) -> None:
    publish_many(guarded, 40_000, others=("bob",))
    slow = [read_slowly(guarded, user_id) for user_id in ("ada", "bob")]
    assert len(slow) == AT_ONCE

    refused = guarded.ask("GET", path_of("eve", "/data"), headers=bearer("eve"))
    assert (refused.status, refused.content["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0

    for connection in slow:
        connection.close()
    until(lambda: guarded.ask("GET", PATH, headers=bearer("ada")).status == 200)


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
