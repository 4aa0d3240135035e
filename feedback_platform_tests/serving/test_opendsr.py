"""OpenDSR: another system has users erased, and follows what becomes of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.erasing import erase_from_lake
from feedback_platform.privacy.requests import close_request, pending_requests
from feedback_platform_tests.serving.running import Answer, RunningServer, dumped, running_server
from feedback_platform_tests.serving.users import (
    ADMINISTRATOR,
    GUARDED,
    bearer,
    path_of,
    preferences,
)

REQUESTS = "/opendsr/requests"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data", GUARDED) as running:
        yield running


def asked(*user_ids: str, **members: Any) -> dict[str, Any]:
    """A request to erase, as the specification has it."""
    return {
        "regulation": "gdpr",
        "subject_request_id": str(uuid4()),
        "subject_request_type": "erasure",
        "submitted_time": "2026-10-02T15:00:00Z",
        "api_version": "3.0",
        "subject_identities": [
            {
                "identity_type": "controller_customer_id",
                "identity_format": "raw",
                "identity_value": user_id,
            }
            for user_id in user_ids
        ],
        **members,
    }


def send(server: RunningServer, content: Any) -> Answer:
    return server.post(REQUESTS, content, ADMINISTRATOR | JSON)


def status(server: RunningServer, request: dict[str, Any]) -> str:
    path = f"{REQUESTS}/{request['subject_request_id']}"
    answer = server.ask("GET", path, headers=ADMINISTRATOR)
    assert answer.status == 200, answer
    assert answer.content["subject_request_id"] == request["subject_request_id"]
    return str(answer.content["request_status"])


def cancel(server: RunningServer, request: dict[str, Any]) -> Answer:
    path = f"{REQUESTS}/{request['subject_request_id']}"
    return server.ask("DELETE", path, headers=ADMINISTRATOR)


def lake_of(server: RunningServer) -> Lake:
    return Lake(server.settings.lake_url)


def test_it_says_what_it_can_do(guarded: RunningServer) -> None:
    answer = guarded.ask("GET", "/opendsr/discovery", headers=ADMINISTRATOR)

    assert answer.status == 200
    assert answer.content == {
        "api_version": "3.0",
        "supported_identities": [
            {"identity_type": "controller_customer_id", "identity_format": "raw"}
        ],
        "supported_subject_request_types": ["erasure"],
    }


def test_a_request_is_filed_and_heeded_and_answered_with_a_receipt(guarded: RunningServer) -> None:
    request = asked("ada", "anonymous:d-1")
    body = dumped(request)

    answer = send(guarded, body)

    assert answer.status == 201
    assert base64.b64decode(answer.content["encoded_request"]) == body
    assert answer.content["subject_request_id"] == request["subject_request_id"]
    received = datetime.fromisoformat(answer.content["received_time"])
    assert abs((datetime.now(UTC) - received).total_seconds()) < 60
    assert datetime.fromisoformat(answer.content["expected_completion_time"]) > received
    (filed,) = pending_requests(lake_of(guarded))
    assert filed.request_id == request["subject_request_id"]
    assert filed.layer_users == {"ada", "anonymous:d-1"}
    assert preferences(guarded)["personalisation"] is False
    # What outlives the erasure names nobody.
    kept = lake_of(guarded).get(keys.subject_request(filed.request_id))
    assert b"ada" not in kept


def test_sent_again_it_is_the_same_request(guarded: RunningServer) -> None:
    request = asked("ada")
    first, second = send(guarded, request), send(guarded, request)

    assert (first.status, second.status) == (201, 201)
    assert first.content == second.content
    assert len(pending_requests(lake_of(guarded))) == 1
    other = send(guarded, {**asked("eve"), "subject_request_id": request["subject_request_id"]})
    assert (other.status, other.content["code"]) == (409, "known_request")


def test_an_attempt_that_died_in_between_is_finished_by_the_next(guarded: RunningServer) -> None:
    request = asked("ada")
    send(guarded, request)
    lake_of(guarded).delete([keys.subject_request(request["subject_request_id"])])

    assert send(guarded, request).status == 201
    assert status(guarded, request) == "pending"
    assert len(pending_requests(lake_of(guarded))) == 1


def test_its_status_follows_the_erasure(guarded: RunningServer) -> None:
    request, lake = asked("ada"), lake_of(guarded)
    send(guarded, request)
    assert status(guarded, request) == "pending"

    erase_from_lake(lake, DEFAULT_MAPPING)
    assert status(guarded, request) == "in_progress"
    assert cancel(guarded, request).status == 409

    request_id = request["subject_request_id"]
    lake.put(keys.erasure_report(request_id), b"{}", mode="create")
    close_request(lake, request_id)
    assert status(guarded, request) == "completed"
    assert cancel(guarded, request).content["code"] == "not_pending"
    assert send(guarded, request).status == 409


def test_what_is_pending_can_be_cancelled(guarded: RunningServer) -> None:
    request = asked("ada")
    send(guarded, request)

    answer = cancel(guarded, request)

    assert answer.status == 202
    assert answer.content["subject_request_id"] == request["subject_request_id"]
    assert cancel(guarded, request).status == 202
    assert status(guarded, request) == "cancelled"
    assert pending_requests(lake_of(guarded)) == []


def test_what_users_ask_themselves_is_not_cancelled_with_it(guarded: RunningServer) -> None:
    request = asked("ada")
    send(guarded, request)
    own = guarded.ask("DELETE", path_of("ada"), headers=bearer("ada")).content["request_id"]
    assert own != request["subject_request_id"]

    cancel(guarded, request)

    assert [each.request_id for each in pending_requests(lake_of(guarded))] == [own]


def test_what_was_carried_out_all_the_same_is_completed(guarded: RunningServer) -> None:
    request, lake = asked("ada"), lake_of(guarded)
    send(guarded, request)
    cancel(guarded, request)
    lake.put(keys.erasure_report(request["subject_request_id"]), b"{}", mode="create")

    assert status(guarded, request) == "completed"


IDENTITY = asked("ada")["subject_identities"][0]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"subject_request_id": "7"}, "subject_request_id accepts"),
        ({"subject_request_id": str(uuid4()).upper()}, "subject_request_id accepts"),
        ({"subject_request_id": "a7551968-d5d6-14b2-9831-815ac9017798"}, "subject_request_id"),
        ({"subject_request_id": None}, "subject_request_id accepts"),
        ({"regulation": "hipaa"}, "regulation accepts gdpr or ccpa"),
        ({"regulation": ["gdpr"]}, "regulation accepts"),
        ({"subject_request_type": "access"}, "GET /v1/users/{user_id}/data"),
        ({"subject_request_type": "portability"}, "GET /v1/users/{user_id}/data"),
        ({"subject_request_type": {}}, "subject_request_type accepts erasure"),
        ({"submitted_time": "yesterday"}, "submitted_time accepts"),
        ({"submitted_time": "2026-10-02T15:00:00"}, "submitted_time accepts"),
        ({"status_callback_urls": ["http://169.254.169.254/"]}, "status_callback_urls is not"),
        ({"status_callback_url": "https://a.example/"}, "status_callback_url is not called"),
        ({"subject_identities": []}, "subject_identities accepts"),
        ({"subject_identities": [IDENTITY] * 101}, "subject_identities accepts"),
        ({"subject_identities": ["ada"]}, "identity_type accepts controller_customer_id"),
        ({"subject_identities": [{**IDENTITY, "identity_type": "email"}]}, "identity_type"),
        ({"subject_identities": [{**IDENTITY, "identity_format": "md5"}]}, "identity_format"),
        ({"subject_identities": [{**IDENTITY, "identity_value": 7}]}, "identity_value accepts"),
        ({"subject_identities": [{**IDENTITY, "identity_value": " "}]}, "is no user's id"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused(
    guarded: RunningServer, members: dict[str, Any], problem: str
) -> None:
    answer = send(guarded, asked("ada") | members)

    assert (answer.status, answer.content["code"]) == (400, "invalid_request")
    assert problem in answer.content["message"]
    assert pending_requests(lake_of(guarded)) == []


def test_what_is_no_request_is_refused(guarded: RunningServer) -> None:
    assert send(guarded, []).status == 400
    assert send(guarded, b"{").status == 400
    assert send(guarded, b" " * 70_000).status == 413
    plain = guarded.post(REQUESTS, asked("ada"), ADMINISTRATOR | {"Content-Type": "text/plain"})
    assert plain.status == 415
    assert guarded.post(REQUESTS, asked("ada"), ADMINISTRATOR).status == 415
    for path in ("/opendsr/", "/opendsr/request", f"{REQUESTS}/", f"{REQUESTS}/../x"):
        assert guarded.ask("GET", path, headers=ADMINISTRATOR).status == 404
    assert guarded.ask("GET", f"{REQUESTS}/{uuid4()}", headers=ADMINISTRATOR).status == 404
    assert guarded.ask("GET", REQUESTS, headers=ADMINISTRATOR).status == 405
    assert pending_requests(lake_of(guarded)) == []


def test_pages_of_other_origins_are_not_told_that_they_may(guarded: RunningServer) -> None:
    assert guarded.ask("OPTIONS", REQUESTS, headers={"Origin": "https://a.example"}).status == 405
