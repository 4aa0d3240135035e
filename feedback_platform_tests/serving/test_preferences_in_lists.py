"""What users switch decides their very next list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning.exploration import Exploration
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.users import path_of, put
from feedback_platform_tests.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    data = tmp_path / "data"
    publish_made_up_lists(
        Lake((data / "lake").as_uri()), ["ada", "bob", "cat"], exploration=Exploration(0.0)
    )
    publish_users(data / "published" / "feedback.duckdb", segments={"ada": "fans"})
    with running_server(data) as running:
        until(lambda: running.ask("GET", "/v1/recommendations/ada?log=false").status == 200)
        until(lambda: bool(listed(running, "ada")["is_personalised"]))
        yield running


def listed(server: RunningServer, user: str) -> Any:
    answer = server.ask("GET", f"/v1/recommendations/{user}?log=false")
    assert answer.status == 200, answer
    return answer.content


def items(server: RunningServer, user: str) -> list[str]:
    return [each["item_id"] for each in listed(server, user)["items"]]


def test_personalisation_is_off_in_the_next_list_and_on_in_the_one_after(
    server: RunningServer,
) -> None:
    personal, of_everybody = items(server, "ada"), items(server, "a-stranger")
    assert personal != of_everybody

    assert put(server, {"personalisation": False}).status == 200
    assert listed(server, "ada")["is_personalised"] is False
    assert items(server, "ada") == of_everybody

    assert put(server, {"personalisation": True}).status == 200
    assert items(server, "ada") == personal


def test_a_signal_that_is_off_folds_in_no_more(server: RunningServer) -> None:
    before = items(server, "bob")
    message = {
        "event": "Product Clicked",
        "messageId": "m-1",
        "userId": "bob",
        "properties": {"product_id": before[-1]},
    }
    assert server.post("/v1/track", message).status == 200
    folded_in = items(server, "bob")
    assert folded_in != before

    assert put(server, {"signals": {"click": False}}, "bob").status == 200
    assert items(server, "bob") == before
    assert put(server, {"signals": {"click": True}}, "bob").status == 200
    assert items(server, "bob") == folded_in


def test_who_asked_to_be_erased_gets_what_everybody_gets(server: RunningServer) -> None:
    of_everybody = items(server, "a-stranger")
    assert items(server, "cat") != of_everybody

    assert server.ask("DELETE", path_of("cat")).status == 202

    assert items(server, "cat") == of_everybody
