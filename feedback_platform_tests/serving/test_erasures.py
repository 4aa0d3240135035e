"""DELETE of a user: filed once, heeded at once, until it is proved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.privacy.requests import close_request, file_request, pending_requests
from feedback_platform.serving.erasures import SAME_FOR
from feedback_platform_tests.serving.flag_server import apply_flags, evaluate
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.users import (
    ADMINISTRATOR,
    GUARDED,
    bearer,
    path_of,
    preferences,
    put,
)
from feedback_platform_tests.waiting import until

SEND_KEY = {"Authorization": "Bearer w-key"}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data", GUARDED) as running:
        yield running


def lake_of(server: RunningServer) -> Lake:
    return Lake(server.settings.lake_url)


@pytest.mark.parametrize("user_id", ["ada", "anonymous:d-1", "a/b"])
def test_a_request_is_filed_once_whoever_asks(guarded: RunningServer, user_id: str) -> None:
    answers = [
        guarded.ask("DELETE", path_of(user_id), headers=headers)
        for headers in (bearer(user_id), bearer(user_id), ADMINISTRATOR)
    ]

    assert [answer.status for answer in answers] == [202] * 3
    (request,) = pending_requests(lake_of(guarded))
    assert [answer.content for answer in answers] == [
        {"request_id": request.request_id, "status": "pending"}
    ] * 3
    assert request.layer_users == {user_id}


def test_who_asks_again_later_is_erased_up_to_then(guarded: RunningServer) -> None:
    lake = lake_of(guarded)
    before = file_request(lake, ["ada"], now=datetime.now(UTC) - 2 * SAME_FOR)

    answer = guarded.ask("DELETE", path_of("ada"), headers=bearer("ada"))

    assert answer.content["request_id"] != before.request_id
    newest = pending_requests(lake)[-1]
    assert newest.requested_at - before.requested_at > SAME_FOR
    assert newest.layer_users == {"ada"}


def test_nobody_files_it_for_somebody_else(guarded: RunningServer) -> None:
    assert guarded.ask("DELETE", path_of("ada"), headers=bearer("eve")).status == 403
    assert guarded.ask("DELETE", path_of("ada")).status == 401
    assert pending_requests(lake_of(guarded)) == []


def test_nothing_is_done_with_them_from_then_on(guarded: RunningServer) -> None:
    publish_users(guarded.settings.published_path, segments={"ada": "fans"})
    apply_flags(guarded)
    until(lambda: evaluate(guarded, "fans", SEND_KEY).status == 200)
    until(lambda: evaluate(guarded, "fans", SEND_KEY).content["variant"] == "cards")
    assert put(guarded, {"research": True}).status == 200

    guarded.ask("DELETE", path_of("ada"), headers=bearer("ada"))

    assert evaluate(guarded, "fans", SEND_KEY).content["variant"] == "list"
    assert preferences(guarded)["personalisation"] is False
    assert preferences(guarded)["research"] is False
    refused = put(guarded, {"personalisation": True})
    assert (refused.status, refused.content["code"]) == (409, "erasure_pending")

    # As it ends: a new publication, and the request is closed.
    publish_users(guarded.settings.published_path)
    (request,) = pending_requests(lake_of(guarded))
    close_request(lake_of(guarded), request.request_id)
    until(lambda: preferences(guarded)["personalisation"] is True)
    assert put(guarded, {"personalisation": False}).status == 200


def test_a_server_that_starts_heeds_it(guarded: RunningServer, tmp_path: Path) -> None:
    guarded.ask("DELETE", path_of("ada"), headers=bearer("ada"))

    with running_server(tmp_path / "data", GUARDED) as restarted:
        assert preferences(restarted)["personalisation"] is False
        assert preferences(restarted, "eve")["personalisation"] is True
