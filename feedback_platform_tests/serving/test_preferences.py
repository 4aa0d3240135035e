"""Preferences over HTTP: they count in the next response, in every process, and ever after."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.preferences import PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry, PreferencesLog
from feedback_platform.serving.preferences import MAX_BODY_BYTES, MOST_WAITING
from feedback_platform.settings import load_settings
from feedback_platform_tests.serving.flag_server import apply_flags, evaluate
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.serving_process import serving_process
from feedback_platform_tests.serving.users import (
    ADMINISTRATOR,
    GUARDED,
    bearer,
    path_of,
    preferences,
    put,
)
from feedback_platform_tests.waiting import until

SIGNALS = ["click", "conversion", "dismissal", "like", "rating", "use", "view"]
EVERYTHING = {
    "personalisation": True,
    "research": True,
    "signals": dict.fromkeys(SIGNALS, True),
}
SEND_KEY = {"Authorization": "Bearer w-key"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server") / "data", GUARDED) as running:
        yield running


def test_whoever_said_nothing_allows_everything(guarded: RunningServer) -> None:
    assert preferences(guarded, "somebody-new") == EVERYTHING


def test_a_part_is_changed_and_the_whole_is_answered(guarded: RunningServer) -> None:
    answer = put(guarded, {"research": False, "signals": {"click": False}}, "ada")

    expected = {
        **EVERYTHING,
        "research": False,
        "signals": {**EVERYTHING["signals"], "click": False},  # type: ignore[dict-item]
    }
    assert (answer.status, answer.content) == (200, expected)
    assert answer.headers["cache-control"] == "no-store"
    assert preferences(guarded, "ada") == expected
    # The whole may be sent back.
    assert put(guarded, answer.content, "ada").content == expected


@pytest.mark.parametrize("user_id", ["anonymous:d-1", "jürgen/ö 1", "a%2Fb?c#d", "..", "x" * 1000])
def test_an_id_is_taken_as_it_is(guarded: RunningServer, user_id: str) -> None:
    assert put(guarded, {"personalisation": False}, user_id).status == 200
    assert preferences(guarded, user_id)["personalisation"] is False


def test_what_is_said_is_an_event_in_raw_before_it_is_answered(guarded: RunningServer) -> None:
    put(guarded, {"personalisation": False, "signals": {"view": True}}, "eve")
    put(guarded, {"research": True}, "anonymous:phone-1")
    put(guarded, {}, "eve")

    said = {
        line["message"].get("user_id") or line["message"].get("anonymous_id"): line
        for line in guarded.lines()
        if line["source"] == "preferences"
    }
    event: dict[str, Any] = said["eve"]["message"]
    assert said["eve"]["format"] == "event"
    assert event["event_type"] == "consent_changed"
    assert event["properties"] == {"personalisation": False, "signals": {"view": True}}
    assert event["occurred_at"][:19] == said["eve"]["received_at"][:19]
    device = said["phone-1"]["message"]
    assert device["anonymous_id"] == "phone-1"
    assert "user_id" not in device
    assert sum(line["message"].get("user_id") == "eve" for line in guarded.lines()) == 1


def test_the_last_word_is_the_last_for_the_layers_too_where_a_clock_is_ahead(
    tmp_path: Path,
) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=3)
    settings = load_settings(tmp_path / "data", {})
    off = PreferencesChange(personalisation=False)
    PreferencesLog(Lake(settings.lake_url)).append(PreferencesEntry("off", ahead, "ada", off))

    with running_server(tmp_path / "data", GUARDED) as running:
        assert put(running, {"personalisation": True}).content["personalisation"] is True
        (line,) = running.lines()

    # Cleaning puts what happened after it was received at the time when it was received.
    times = line["message"]["occurred_at"], line["received_at"]
    assert min(map(datetime.fromisoformat, times)) > ahead


def test_the_next_evaluation_of_flags_knows_it(guarded: RunningServer) -> None:
    publish_users(guarded.settings.published_path, segments={"fan": "fans"})
    apply_flags(guarded)
    until(lambda: evaluate(guarded, "fans", SEND_KEY, targetingKey="fan").status == 200)
    until(
        lambda: (
            evaluate(guarded, "fans", SEND_KEY, targetingKey="fan").content["variant"] == "cards"
        )
    )

    assert put(guarded, {"personalisation": False}, "fan").status == 200
    assert evaluate(guarded, "fans", SEND_KEY, targetingKey="fan").content["variant"] == "list"
    assert put(guarded, {"personalisation": True}, "fan").status == 200
    assert evaluate(guarded, "fans", SEND_KEY, targetingKey="fan").content["variant"] == "cards"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b'{"personalisation": NaN}', 400, "malformed_json"),
        (b'"off"', 400, "invalid_preferences"),
        ({"personalization": False}, 400, "invalid_preferences"),
        ({"personalisation": None}, 400, "invalid_preferences"),
        ({"signals": {"smell": False}}, 400, "invalid_preferences"),
        (b"[" * 5000, 400, "malformed_json"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "too_large"),
    ],
)
def test_a_body_that_says_nothing_that_there_is_is_refused(
    guarded: RunningServer, body: Any, status: int, code: str
) -> None:
    answer = put(guarded, body, "careful")

    assert (answer.status, answer.content["code"]) == (status, code)
    assert preferences(guarded, "careful") == EVERYTHING


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/users/", 404),
        ("/v1/users//preferences", 404),
        ("/v1/users/ada/preferences/", 404),
        ("/v1/users/ada/secrets", 404),
        ("/v1/users%2Fada/preferences", 404),
        ("/v1/users/%FF/preferences", 400),
        ("/v1/users/%20/preferences", 400),
        ("/v1/users/anonymous:/preferences", 400),
        (f"/v1/users/{'x' * 1001}/preferences", 400),
        ("/v1/users/a%0Ab/preferences", 400),
    ],
)
def test_a_path_that_names_nobody_is_refused(
    guarded: RunningServer, path: str, status: int
) -> None:
    answer = guarded.ask("GET", path, headers=ADMINISTRATOR)

    assert answer.status == status
    assert set(answer.content) == {"code", "message"}


def test_a_user_whom_no_layer_can_know_says_nothing(guarded: RunningServer) -> None:
    answer = put(guarded, {"personalisation": False}, "a\0b", ADMINISTRATOR)

    assert (answer.status, answer.content["code"]) == (400, "invalid_user")


def test_a_page_of_another_origin_may_ask(guarded: RunningServer) -> None:
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = guarded.ask("OPTIONS", path_of("ada", "/preferences"), headers=asked)

    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    refused = guarded.ask("GET", path_of("ada", "/preferences"))
    assert refused.headers["access-control-allow-origin"] == "*"
    assert guarded.ask("POST", path_of("ada", "/preferences"), {}).status == 405


def test_a_user_who_changes_all_the_time_is_asked_to_wait(guarded: RunningServer) -> None:
    for number in range(MOST_WAITING):
        assert put(guarded, {"research": number % 2 == 0}, "fickle").status == 200

    answer = put(guarded, {"research": True}, "fickle")

    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0
    assert preferences(guarded, "fickle")["research"] is False


def test_it_counts_after_a_restart_before_anything_is_published(tmp_path: Path) -> None:
    for _ in range(2):
        with running_server(tmp_path / "data", GUARDED) as running:
            if preferences(running)["personalisation"]:
                assert put(running, {"personalisation": False}).status == 200
    with running_server(tmp_path / "data", GUARDED) as running:
        assert preferences(running)["personalisation"] is False
        assert len(Lake(running.settings.lake_url).list_keys(keys.PREFERENCES)) == 1


def test_without_a_store_nothing_is_changed_and_nothing_is_lost(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", GUARDED) as running:
        assert put(running, {"research": False}).status == 200
        log = tmp_path / "data" / "lake" / keys.PREFERENCES
        away = log.rename(tmp_path / "away")
        log.write_text("no directory")

        refused = put(running, {"research": True})

        assert (refused.status, refused.content["code"]) == (503, "unavailable")
        assert "retry-after" in refused.headers
        assert preferences(running)["research"] is False
        log.unlink()
        away.rename(log)
        assert put(running, {"research": True}).content["research"] is True


def test_every_worker_knows_it_at_once_and_after_a_restart(tmp_path: Path, free_port: int) -> None:
    data = tmp_path / "data"
    publish_users(load_settings(data, {}).published_path, segments={"ada": "fans"})
    with serving_process(data, free_port, GUARDED, workers=2) as serving:
        client = serving.client
        apply_flags(client)
        until(lambda: variants(client) == {"cards"})
        for is_on in (False, True, False, True, False):
            assert put(client, {"personalisation": is_on}).status == 200
            # A connection of its own each time: of two workers, either may take it.
            # One that begins late has no flags yet.
            assert variants(client) - {None} == {"cards" if is_on else "list"}
            assert {preferences(client)["personalisation"] for _ in range(6)} == {is_on}
        serving.signal(signal.SIGTERM)
        serving.start()
        # Workers that have not read the flags yet have none for anybody.
        until(lambda: None not in variants(client))
        assert variants(client) == {"list"}
        until(lambda: put(client, {"personalisation": True}).status == 200)
        assert client.ask("DELETE", path_of("ada"), headers=bearer("ada")).status == 202
        assert variants(client) == {"list"}


def variants(client: RunningServer) -> set[str | None]:
    answers = [evaluate(client, "fans", SEND_KEY, targetingKey="ada") for _ in range(8)]
    return {each.content.get("variant") for each in answers}


def test_a_token_of_another_user_opens_nothing(guarded: RunningServer) -> None:
    path = path_of("ada", "/preferences")

    assert guarded.ask("GET", path, headers=bearer("eve")).status == 403
    assert guarded.ask("PUT", path, {"research": False}, bearer("eve")).status == 403
    assert guarded.ask("PUT", path, {"research": False}).status == 401
    assert guarded.ask("GET", path, headers=ADMINISTRATOR).status == 200
