"""Lists over HTTP: what they say, whom they are given to, and what a click does to the next one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.types import Message

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.ingestion.collector.audience import Audience
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.store import Lake
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.publication import (
    current_lists,
    local_lists,
    withdraw_lists,
)
from feedback_platform.privacy.preferences import Preferences
from feedback_platform.privacy.requests import close_request, pending_requests
from feedback_platform.serving.access import Access
from feedback_platform.serving.experiment_feed import ExperimentFeed
from feedback_platform.serving.exposures import Exposures
from feedback_platform.serving.impressions import Impressions
from feedback_platform.serving.neighbours import Neighbours
from feedback_platform.serving.published_lists import PublishedLists
from feedback_platform.serving.recommendations import Recommendations
from feedback_platform.serving.session_events import FOLDED, SessionLines
from feedback_platform.serving.session_memory import SessionMemory
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform.serving.user_tokens import sign_token
from feedback_platform.serving.varied_lists import VariedLists
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import Answer, RunningServer, running_server
from feedback_platform_tests.waiting import until

USERS = ["ada", "bob", "cat", "dan", "eve", "a/b ü", "opted-out"]
SECRET = "b1f0c6a5e2d94788a3f1c0d9e8b7a6f5"  # noqa: S105 - of the tests


@contextmanager
def serving(
    data_dir: Path, environment: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """A server with lists of some users, one of whom wants nothing personal."""
    publish_made_up_lists(Lake((data_dir / "lake").as_uri()), USERS, exploration=Exploration(0.1))
    published = data_dir / "published" / "feedback.duckdb"
    publish_users(published, segments={"ada": "fans"}, opted_out=["opted-out"])
    with running_server(data_dir, environment) as server:
        until(lambda: is_known(server))
        yield server


def is_known(server: RunningServer) -> bool:
    """Whether the server has read by now what users allow."""
    answer = server.ask("GET", "/v1/recommendations/cat?log=false", headers=AS_ADMINISTRATOR)
    return answer.status == 200 and answer.content["is_personalised"]


AS_ADMINISTRATOR = {"x-api-key": "administrator-1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


def ask(server: RunningServer, user: str, query: str = "", **headers: str) -> Answer:
    return server.ask("GET", f"/v1/recommendations/{quote(user, safe='')}{query}", headers=headers)


def listed(server: RunningServer, user: str, query: str = "") -> list[str]:
    answer = ask(server, user, query)
    assert answer.status == 200, answer
    return [each["item_id"] for each in answer.content["items"]]


def track(server: RunningServer, name: str, message_id: str, /, **fields: Any) -> None:
    message = {"event": name, "messageId": message_id, **fields}
    assert server.post("/v1/track", message).status == 200


def click(server: RunningServer, user: str, item: str, message_id: str) -> None:
    properties = {"product_id": item}
    track(server, "Product Clicked", message_id, userId=user, properties=properties)


def online(server: RunningServer) -> OnlineLists:
    lake = Lake(server.settings.lake_url)
    key = current_lists(lake)
    assert key is not None
    return OnlineLists.open(local_lists(lake, key, server.settings.cache_dir))


def test_a_list_is_that_of_the_file_with_all_that_is_known_of_each_item(
    server: RunningServer,
) -> None:
    answer = ask(server, "bob", "?limit=7&placement=start")

    assert answer.status == 200
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    content = answer.content
    recommendation_id = content.pop("recommendation_id")
    now = datetime.now(UTC).timestamp()
    assert content == {
        "user_id": "bob",
        "placement": "start",
        "model_version": "made-up",
        "is_personalised": True,
        "experiments": [],
        "items": [
            {
                "item_id": each.item_id,
                "title": each.title,
                "position": position,
                "score": each.score,
                "propensity": each.propensity,
                "reason": each.reason,
                "is_exploration": each.is_exploration,
                "categories": list(each.categories),
            }
            for position, each in enumerate(online(server).recommend("bob", [], now=now, n=7), 1)
        ],
    }
    assert len(content["items"]) == 7
    assert ask(server, "bob").content["recommendation_id"] != recommendation_id


def test_a_stranger_gets_what_is_popular(server: RunningServer) -> None:
    now = datetime.now(UTC).timestamp()
    expected = [each.item_id for each in online(server).recommend("nobody", [], now=now, n=3)]

    assert listed(server, "nobody", "?limit=3") == expected
    assert len({"item-0", "item-1", "item-2"} & set(expected)) >= 2


def test_the_next_list_after_a_click_is_another_one_and_only_that_users(
    server: RunningServer,
) -> None:
    mine, others = listed(server, "ada"), listed(server, "cat")

    click(server, "ada", mine[0], "click-1")

    after = listed(server, "ada")
    assert mine[0] not in after
    assert after[:5] != mine[:5]
    assert listed(server, "cat") == others
    click(server, "ada", mine[0], "click-1")
    assert listed(server, "ada") == after


def test_a_click_in_a_batch_or_as_a_cloudevent_counts_as_well(server: RunningServer) -> None:
    first, second, third, *_ = listed(server, "eve")
    batch = [
        {"type": "page", "userId": "eve", "messageId": "p"},
        {
            "type": "track",
            "event": "Product Added to Wishlist",
            "userId": "eve",
            "messageId": "w",
            "properties": {"product_id": first},
        },
        {"type": "track", "event": "Product Clicked", "messageId": "nobody's"},
    ]
    assert server.post("/v1/batch", {"batch": batch}).status == 200
    assert first not in listed(server, "eve")
    event: dict[str, Any] = {
        "specversion": "1.0",
        "type": "item_dismissed",
        "source": "s",
        "id": "1",
    }
    event |= {"data": {"user_id": "eve", "item_id": second}}
    headers = {"content-type": "application/cloudevents+json"}
    assert server.post("/v1/cloudevents", event, headers).status == 204
    assert second not in listed(server, "eve")
    headers = {"content-type": "application/cloudevents-batch+json"}
    event |= {"id": "2", "data": {"user_id": "eve", "item_id": third}}
    assert server.post("/v1/cloudevents", [event, {"id": "faulty"}], headers).status == 204
    assert third not in listed(server, "eve")


def test_what_a_device_did_is_its_users_after_the_login(server: RunningServer) -> None:
    item = listed(server, "dan")[2]
    properties = {"product_id": item}
    track(server, "Product Clicked", "before", anonymousId="phone", properties=properties)
    assert item in listed(server, "dan")
    assert item not in listed(server, "anonymous:phone", "?limit=60")

    identify = {"userId": "dan", "anonymousId": "phone", "messageId": "login"}
    assert server.post("/v1/identify", identify).status == 200

    assert item not in listed(server, "dan")


def test_what_the_lists_know_already_does_not_count_again(server: RunningServer) -> None:
    before = listed(server, "bob")
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    person = online(server).people.find("bob")
    assert person is not None
    known = online(server).catalogue.item_ids[person.own[0]]
    properties = {"product_id": known}
    track(server, "Product Clicked", "old", userId="bob", timestamp=long_ago, properties=properties)

    assert listed(server, "bob") == before


def test_who_switched_personalisation_off_gets_what_everybody_gets_whatever_they_do(
    server: RunningServer,
) -> None:
    popular = [f"item-{number}" for number in range(5)]
    click(server, "opted-out", popular[0], "click-off")

    answer = ask(server, "opted-out", "?limit=5")

    assert answer.content["is_personalised"] is False
    assert [each["item_id"] for each in answer.content["items"]] == popular


def test_a_list_is_noted_once_with_the_probability_of_each_place(server: RunningServer) -> None:
    answer = ask(server, "cat", "?limit=4&placement=noted").content
    off = ask(server, "opted-out", "?limit=2&placement=noted").content
    anonymous = ask(server, "anonymous:tv", "?limit=1&placement=noted").content
    ask(server, "cat", "?limit=4&placement=noted&log=false")
    click(server, "nobody-2", "item-1", "later")

    def noted() -> list[dict[str, Any]]:
        messages = [line["message"] for line in server.lines()]
        return [m for m in messages if m.get("properties", {}).get("placement") == "noted"]

    until(lambda: len(noted()) == 3)
    by_id = {message["messageId"]: message for message in noted()}
    assert by_id[answer["recommendation_id"]] == {
        "type": "track",
        "event": "Recommendations Shown",
        "messageId": answer["recommendation_id"],
        "userId": "cat",
        "timestamp": by_id[answer["recommendation_id"]]["timestamp"],
        "properties": {
            "recommendation_id": answer["recommendation_id"],
            "placement": "noted",
            "model_version": "made-up",
            "is_personalised": True,
            "products": [
                {
                    "product_id": each["item_id"],
                    "position": each["position"],
                    "propensity": each["propensity"],
                }
                for each in answer["items"]
            ],
        },
    }
    assert any(each["propensity"] < 1 for each in answer["items"])
    without = by_id[off["recommendation_id"]]["properties"]
    assert without["is_personalised"] is False
    assert all("propensity" not in each for each in without["products"])
    assert by_id[anonymous["recommendation_id"]]["anonymousId"] == "tv"
    assert "userId" not in by_id[anonymous["recommendation_id"]]


def test_an_explanation_is_that_of_the_list_and_knows_the_session(server: RunningServer) -> None:
    first = listed(server, "cat")[0]

    path = f"/v1/recommendations/cat/explanations/{first}"
    content = server.ask("GET", path).content
    found = online(server).explain("cat", [], first, now=datetime.now(UTC).timestamp())
    assert found is not None
    assert content == {
        "user_id": "cat",
        "item_id": first,
        "title": found.title,
        "model_version": "made-up",
        "experiments": [],
        "is_listed": True,
        "position": 1,
        "score": found.score,
        "reasons": [
            {
                "kind": each.kind,
                "text": each.text,
                "item_id": each.item_id,
                "title": each.title,
                "weight": each.weight,
            }
            for each in found.reasons
        ],
    }
    click(server, "cat", first, "seen")
    assert server.ask("GET", path).content["is_listed"] is False


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/recommendations/", 400, "invalid_request"),
        ("GET", "/v1/recommendations/%FF", 400, "invalid_request"),
        ("GET", "/v1/recommendations/ada?limit=0", 400, "invalid_request"),
        ("GET", "/v1/recommendations/ada?what=1", 400, "invalid_request"),
        ("GET", "/v1/recommendations/ada/explanations/item-1?limit=1", 400, "invalid_request"),
        ("GET", "/v1/recommendations/ada/explanations/nosuch", 404, "item_not_found"),
        ("GET", "/v1/recommendations/ada/more", 404, "not_found"),
        ("POST", "/v1/recommendations/ada", 405, "method_not_allowed"),
        ("HEAD", "/v1/recommendations/ada", 405, "method_not_allowed"),
    ],
)
def test_what_is_wrong_is_said_as_json_that_a_page_may_read(
    server: RunningServer, method: str, path: str, status: int, code: str
) -> None:
    answer = server.ask(method, path)

    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "private, no-store"
    if method != "HEAD":
        assert answer.content["code"] == code
        assert set(answer.content) == {"code", "message"}
    if status == 405:
        assert answer.headers["allow"] == "GET, OPTIONS"


def test_a_page_may_ask_with_a_token_of_its_user(server: RunningServer) -> None:
    headers = {
        "origin": "https://shop.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }

    answer = server.ask("OPTIONS", "/v1/recommendations/ada?limit=5", headers=headers)

    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-methods"] == "GET, OPTIONS"


def test_a_page_may_name_its_request_and_read_the_name(server: RunningServer) -> None:
    preflight = server.ask("OPTIONS", "/v1/recommendations/ada")
    assert "x-request-id" in preflight.headers["access-control-allow-headers"]
    for path in ("ada", "ada/explanations/nosuch"):
        answer = server.ask(
            "GET", f"/v1/recommendations/{path}", headers={"x-request-id": "page-7"}
        )
        assert answer.headers["x-request-id"] == "page-7"
        assert "x-request-id" in answer.headers["access-control-expose-headers"]


def token(user: str, minutes: int) -> str:
    """An authorization header of a user, which ends in some minutes."""
    now = datetime.now(UTC)
    return f"Bearer {sign_token(user, SECRET, now=now, valid_for=timedelta(minutes=minutes))}"


def test_a_list_is_given_to_its_user_and_to_administrators_and_to_nobody_else(
    tmp_path: Path,
) -> None:
    environment = {
        "FEEDBACK_USER_TOKEN_SECRET": SECRET,
        "FEEDBACK_API_KEYS": "administrator-1",
        "FEEDBACK_WRITE_KEYS": "page-1",
    }
    ada, bob, stale = token("ada", 5), token("bob", 5), token("ada", -60)
    with serving(tmp_path / "data", environment) as server:
        for path in ("ada", "ada/explanations/item-1"):
            url = f"/v1/recommendations/{path}"
            asked = [
                (server.ask("GET", url, headers=headers).status)
                for headers in (
                    {"authorization": ada},
                    AS_ADMINISTRATOR,
                    {},
                    {"authorization": stale},
                    {"authorization": "Bearer page-1"},
                    {"authorization": ada + "x"},
                    {"x-api-key": "page-1"},
                    {"authorization": bob},
                )
            ]
            assert asked == [200, 200, 401, 401, 401, 401, 401, 403]
        refused = server.ask("GET", "/v1/recommendations/ada")
        assert refused.content["code"] == "unauthorized"
        assert "www-authenticate" in refused.headers
        # Not even whether there is such an item is told.
        nosuch = "/v1/recommendations/ada/explanations/nosuch"
        assert server.ask("GET", nosuch).status == 401
        assert server.ask("OPTIONS", nosuch).status == 204


def test_as_long_as_nothing_is_published_a_client_is_told_to_come_again(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running_server(data_dir) as server:
        for path in ("ada", "ada/explanations/item-1"):
            answer = server.ask("GET", f"/v1/recommendations/{path}")
            assert (answer.status, answer.content["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        publish_made_up_lists(Lake(server.settings.lake_url), USERS)
        until(lambda: ask(server, "ada").status == 200)
        withdraw_lists(Lake(server.settings.lake_url))
        until(lambda: ask(server, "ada").status == 503)


def test_until_it_is_known_what_users_allow_nobody_gets_a_list_of_their_own(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "data"
    publish_made_up_lists(Lake((data_dir / "lake").as_uri()), USERS)
    published = data_dir / "published" / "feedback.duckdb"
    published.parent.mkdir(parents=True)
    published.write_bytes(b"torn")
    with running_server(data_dir) as server:
        answer = ask(server, "ada", "?limit=2")
        assert answer.content["is_personalised"] is False
        assert [each["item_id"] for each in answer.content["items"]] == ["item-0", "item-1"]


def test_while_the_lake_fails_lists_go_out_and_what_was_not_stored_does_not_fold_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path / "data") as server:
        before = listed(server, "ada", "?log=false")
        raw = Path(server.settings.data_dir, "lake", "raw")
        raw.mkdir(exist_ok=True, parents=True)
        moved = raw.rename(raw.with_name("raw-before"))
        raw.write_text("in the way")
        message: dict[str, Any] = {"event": "Product Clicked", "userId": "ada", "messageId": "lost"}
        message |= {"properties": {"product_id": before[0]}}
        assert server.post("/v1/track", message).status == 503
        assert listed(server, "ada") == before
        until(lambda: "Impressions of lists are lost" in caplog.text)
        raw.unlink()
        moved.rename(raw)
        until(lambda: server.post("/v1/track", message).status == 200)
        assert listed(server, "ada") != before


class _Users:
    """Everybody lets everything count but clicks."""

    def preferences_of(self, user_id: str) -> Preferences:
        assert user_id == "ada"
        return Preferences(signals_off=frozenset({"click"}))


def test_events_of_a_signal_that_the_user_switched_off_do_not_fold_in(tmp_path: Path) -> None:
    lake = Lake(tmp_path.as_uri())
    publish_made_up_lists(lake, USERS)
    mapping = DEFAULT_MAPPING
    memory = SessionMemory(Neighbours(None), SessionLines(mapping).interpret)
    audience = Audience(memory.hear, mapping, FOLDED)
    received_at = datetime.now(UTC).isoformat()

    def did(name: str, item: str) -> None:
        message: dict[str, Any] = {
            "type": "track",
            "event": name,
            "userId": "ada",
            "messageId": name,
        }
        message |= {"properties": {"product_id": item}}
        audience.tell(audience.of_batch([message], received_at, None))

    async def play() -> None:
        lists = PublishedLists(lake, tmp_path / "cache")
        await lists.look()
        station = Station(lake, write_keys={})
        experiments = ExperimentFeed(ExperimentLog(lake))
        varied = VariedLists(lists, experiments, PublishedUsers(tmp_path / "nothing"))
        told = (Impressions(station), Exposures(station))
        api = Recommendations(varied, memory, _Users(), Access({}, ()), *told)
        first, second, third, *_ = await asked(api)
        did("Product Clicked", first)
        assert (await asked(api))[:2] == [first, second]
        did("Product Added to Wishlist", second)
        assert (await asked(api))[:2] == [first, third]

    asyncio.run(play())


async def asked(api: Recommendations) -> list[str]:
    """Ask for a list without a server."""
    sent: list[Any] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "raw_path": b"/v1/recommendations/ada",
        "query_string": b"log=false",
        "headers": [],
    }
    await api(scope, receive, send)
    assert sent[0]["status"] == 200
    return [each["item_id"] for each in json.loads(sent[1]["body"])["items"]]


def test_who_was_erased_and_comes_back_brings_no_session_along(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        lake = Lake(server.settings.lake_url)
        before = listed(server, "ada")
        click(server, "ada", before[0], "m-1")
        assert listed(server, "ada") != before

        assert server.ask("DELETE", "/v1/users/ada").status == 202
        (request,) = pending_requests(lake)
        close_request(lake, request.request_id)
        until(lambda: ask(server, "ada").content["is_personalised"])

        assert listed(server, "ada") == before
