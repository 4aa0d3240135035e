"""A server of several processes: a click that one of them took counts whichever answers next."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from feedback_platform.lake.store import Lake
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.serving_process import serving_process
from feedback_platform_tests.waiting import until

USERS = [f"user-{number}" for number in range(8)]


class Caller:
    """A connection that stays open, so that one worker answers all that is asked on it."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        self._connection.request(method, path, None if body is None else json.dumps(body))
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def close(self) -> None:
        self._connection.close()

    def recommended(self, user: str) -> Any:
        status, content = self.ask("GET", f"/v1/recommendations/{user}?log=false")
        assert status == 200, content
        return content

    def is_ready(self) -> bool:
        """Whether the worker knows by now what there is, and what users allow."""
        status, content = self.ask("GET", "/v1/recommendations/nobody?log=false")
        return status == 200 and bool(content["is_personalised"])

    def listed(self, user: str) -> list[str]:
        return [each["item_id"] for each in self.recommended(user)["items"]]

    def click(self, user: str, item: str) -> None:
        click = {"event": "Product Clicked", "userId": user, "properties": {"product_id": item}}
        assert self.ask("POST", "/v1/track", click)[0] == 200

    @property
    def worker(self) -> str:
        """What the ids of a process begin with."""
        name: str = self.recommended("nobody")["recommendation_id"]
        return name.rpartition("-")[0]


@contextmanager
def one_of_each(port: int, workers: int) -> Iterator[list[Caller]]:
    """Connect until every worker has a connection."""
    opened: list[Caller] = []
    found: dict[str, Caller] = {}

    def are_all_there() -> bool:
        caller = Caller(port)
        opened.append(caller)
        until(caller.is_ready)
        found.setdefault(caller.worker, caller)
        return len(found) == workers

    try:
        until(are_all_there)
        yield list(found.values())
    finally:
        for caller in opened:
            caller.close()


def test_a_click_changes_the_next_list_whichever_worker_answers(
    tmp_path: Path, free_port: int
) -> None:
    data_dir = tmp_path / "data"
    publish_made_up_lists(Lake((data_dir / "lake").as_uri()), USERS)
    publish_users(data_dir / "published" / "feedback.duckdb", segments={}, opted_out=[])
    with (
        tempfile.TemporaryDirectory() as temporary,
        serving_process(data_dir, free_port, {"TMPDIR": temporary}, workers=2) as serving,
        one_of_each(free_port, workers=2) as callers,
    ):
        for turn, user in enumerate(USERS):
            before = callers[0].listed(user)
            for step in range(3):
                callers[(turn + step) % 2].click(user, before[step])
                for caller in callers:
                    assert before[step] not in caller.listed(user)
        assert len(list(Path(temporary).glob("feedback-*/sockets/*"))) == 2
        assert serving.signal(signal.SIGTERM) == 0
        assert list(Path(temporary).glob("feedback-*")) == []
