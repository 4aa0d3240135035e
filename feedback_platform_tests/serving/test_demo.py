"""The demo page: who is served it, what it may load, and whom it lets anybody play."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.errors import InvalidSettingError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.serving.demo.routes import LIBRARIES, PAGE
from feedback_platform.serving.demo.switch import serves_demo
from feedback_platform.serving.user_tokens import UserTokens
from feedback_platform.settings import load_settings
from feedback_platform.simulation import planted_groups
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import Answer, RunningServer, running_server

SECRET = "a-secret-of-more-than-thirty-two-characters"  # noqa: S105 - of the tests
GUARDED = {
    "FEEDBACK_DEMO": "on",
    "FEEDBACK_WRITE_KEYS": "shop:the-key-of-the-shop,demo:the-key-of-the-page",
    "FEEDBACK_API_KEYS": "ops:the-key-of-an-administrator",
    "FEEDBACK_USER_TOKEN_SECRET": SECRET,
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with keys and a secret, 30 simulated users, and a real one who looks like them."""
    data_dir = tmp_path_factory.mktemp("guarded") / "data"
    settings = load_settings(data_dir, GUARDED)
    lake = Lake(settings.lake_url)
    lake.put(keys.demo_simulation(), json.dumps({"users": 30}).encode(), mode="create")
    segments = {
        "user-000002": "Reports",
        "user-000003": "Labs",
        "user-000004": "Labs",
        "user-000005": "Messaging",
        "user-000031": "Templates",
        "ada": "Documents",
    }
    publish_users(settings.published_path, segments=segments, opted_out=["user-000003"])
    with running_server(data_dir, GUARDED) as running:
        yield running


def play(server: RunningServer, user_id: str | None = None) -> Answer:
    return server.post("/demo/visitors" + ("" if user_id is None else f"?user_id={user_id}"), None)


def test_a_server_without_keys_serves_the_page_and_all_that_it_names(
    server: RunningServer,
) -> None:
    assert server.ask("GET", "/demo").headers["location"] == "demo/"
    page = server.ask("GET", "/demo/")
    assert page.status == 200
    text = page.body.decode()
    named = re.findall(r'(?:src|href)="([^".#][^"#]*)"|": "\./([^"]+)"', text)
    paths = [one or other for one, other in named]
    assert len(paths) > 10
    for path in paths:
        assert server.ask("GET", f"/demo/{path}").status == 200, path


def test_the_page_loads_nothing_from_elsewhere_and_allows_nothing_inline(
    server: RunningServer,
) -> None:
    for path in ("/demo/", "/demo/js/start.js", "/demo/start"):
        headers = server.ask("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "access-control-allow-origin" not in headers
    for file in (*PAGE.rglob("*.html"), *PAGE.rglob("*.css"), *PAGE.rglob("*.js")):
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, file
        assert "https:" not in text, file


@pytest.mark.parametrize(
    "environment",
    [
        {"FEEDBACK_DEMO": "off"},
        {"FEEDBACK_WRITE_KEYS": "the-key-of-the-shop"},
        {"FEEDBACK_API_KEYS": "the-key-of-an-administrator"},
        {"FEEDBACK_USER_TOKEN_SECRET": SECRET},
    ],
    ids=["off", "write-keys", "api-keys", "secret"],
)
def test_where_somebody_is_kept_out_the_page_is_not_there_by_itself(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    with running_server(tmp_path / "data", environment) as server:
        assert server.ask("GET", "/demo/").status == 404
        assert play(server).status == 404


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"FEEDBACK_WRITE_KEYS": "shop:the-key-of-the-shop"}, "FEEDBACK_WRITE_KEYS"),
        ({"FEEDBACK_API_KEYS": "the-key-of-an-administrator"}, "FEEDBACK_USER_TOKEN_SECRET"),
    ],
)
def test_a_page_that_could_not_send_or_ask_is_refused_at_the_start(
    tmp_path: Path, environment: Mapping[str, str], missing: str
) -> None:
    settings = load_settings(tmp_path, {"FEEDBACK_DEMO": "on", **environment})
    with pytest.raises(InvalidSettingError, match=missing):
        serves_demo(settings)


def test_the_page_is_told_its_own_key_and_no_other(guarded: RunningServer) -> None:
    answer = guarded.ask("GET", "/demo/start")
    assert answer.content["write_key"] == "the-key-of-the-page"
    assert answer.headers["cache-control"] == "no-store"
    for secret in ("the-key-of-the-shop", "the-key-of-an-administrator", SECRET):
        assert secret not in answer.body.decode()


def test_one_simulated_user_of_each_segment_is_offered_and_none_who_opted_out(
    guarded: RunningServer,
) -> None:
    offered = guarded.ask("GET", "/demo/start").content["users"]
    assert sorted((each["segment"], each["user_id"]) for each in offered) == [
        ("Labs", "user-000004"),
        ("Messaging", "user-000005"),
        ("Reports", "user-000002"),
    ]


def test_nobody_is_offered_where_nothing_is_published(server: RunningServer) -> None:
    assert server.ask("GET", "/demo/start").content["users"] == []


@pytest.mark.parametrize("user_id", ["user-000001", "user-000030"])
def test_a_user_of_the_simulation_may_be_played_and_nobody_else_with_the_token(
    guarded: RunningServer, user_id: str
) -> None:
    answer = play(guarded, user_id)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content["user_id"] == user_id
    assert user_of(answer) == user_id


@pytest.mark.parametrize(
    "user_id",
    [
        "ada", "user-000031", "user-000000", "user-1", "user-0000001", "", "anonymous:phone",
        "demo-", "demo-ada", "demo-" + "g" * 32, "demo-" + "A" * 32, "user-%D9%A0%D9%A0%D9%A0001",
        "user-000001%0A",
    ],
)  # fmt: skip
def test_a_real_user_may_not_be_played(guarded: RunningServer, user_id: str) -> None:
    answer = play(guarded, user_id)
    assert answer.status == 403
    assert answer.content["code"] == "forbidden"
    assert "token" not in answer.content


def test_a_lake_without_the_simulation_has_nobody_to_play_but_somebody_new(
    server: RunningServer,
) -> None:
    assert play(server, "user-000001").status == 403
    assert play(server).status == 200


def test_somebody_new_is_somebody_else_each_time_and_may_come_back(guarded: RunningServer) -> None:
    met = {play(guarded).content["user_id"] for _ in range(5)}
    assert len(met) == 5
    for user_id in met:
        assert user_of(play(guarded, user_id)) == user_id


def test_no_token_is_made_where_none_is_needed(server: RunningServer) -> None:
    assert play(server).content["token"] is None


def test_the_ids_that_may_be_played_are_those_of_the_simulation(guarded: RunningServer) -> None:
    for user_id in planted_groups(30, 1)["user_id"]:
        assert play(guarded, user_id).status == 200


def test_every_library_is_named_with_its_version_its_hash_and_its_licence() -> None:
    manifest: dict[str, Any] = json.loads((LIBRARIES / "manifest.json").read_text())
    files = [path for path in LIBRARIES.rglob("*") if path.is_file()]
    for name, package in manifest.items():
        assert package.keys() == {"version", "integrity", "license"}
        of_package = [path for path in files if path.is_relative_to(LIBRARIES / name)]
        assert any("licen" in path.name.lower() for path in of_package), name
        files = [path for path in files if path not in of_package]
    assert files == [LIBRARIES / "manifest.json"]


def user_of(answer: Answer) -> str:
    """Who the token is for, as the server itself reads it."""
    return UserTokens([SECRET]).user_of(answer.content["token"].encode())
