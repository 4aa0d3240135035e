"""Segment's own libraries, pointed at the collector: what they were told to send is analysed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.processes import (
    CACHE,
    answers,
    free_port,
    required_command,
    run,
    running,
)

SDK_DIR: Final = Path(__file__).parent / "segment_sdks"
COMMAND: Final = (sys.executable, "-m", "feedback_platform")
WRITE_KEY: Final = "the-key-of-the-shop"
# Ten calls each: 10,000 events.
USERS: Final = 1000
SEND_SECONDS: Final = 300.0
INTERACTIONS: Final = "interaction.interactions"

Call = dict[str, Any]
Row = tuple[str, str | None, str | None, str | None, float | None, int | None]
COLUMNS: Final = {
    "event_type": pl.String(),
    "user_id": pl.String(),
    "anonymous_id": pl.String(),
    "item_id": pl.String(),
    "value": pl.Float64(),
    "position": pl.Int64(),
}


def calls_of(user: str) -> list[Call]:
    """What one user of a shop does, in the words of Segment's API."""
    return [
        {"method": "identify", "userId": user, "traits": {"plan": "pro", "name": "Zoë 💡"}},
        {"method": "group", "userId": user, "groupId": "acme", "traits": {"industry": "film"}},
        {"method": "page", "userId": user, "name": "Home", "properties": {"path": "/"}},
        {"method": "screen", "userId": user, "name": "Start", "properties": {"dark": True}},
        {"method": "alias", "userId": user, "previousId": f"before-{user}"},
        {
            "method": "track",
            "userId": user,
            "event": "Product Viewed",
            "properties": {"product_id": "lamp", "name": "Lamp", "price": 20.5, "position": 3},
        },
        {
            "method": "track",
            "anonymousId": f"device-of-{user}",
            "event": "Product Clicked",
            "properties": {"product_id": "lamp", "position": 2},
        },
        {
            "method": "track",
            "userId": user,
            "event": "Product Reviewed",
            "properties": {"product_id": "lamp", "review_id": "r1", "rating": "4.5"},
        },
        {
            "method": "track",
            "userId": user,
            "event": "Product List Viewed",
            "properties": {
                "list_id": "front",
                "products": [
                    {"product_id": "lamp", "position": 1},
                    {"product_id": "sofa", "position": 2},
                    {"product_id": "desk", "position": 3},
                ],
            },
        },
        {
            "method": "track",
            "userId": user,
            "event": "Order Completed",
            "properties": {
                "order_id": f"order-of-{user}",
                "total": 52.75,
                "products": [
                    {"product_id": "lamp", "price": 20.5, "quantity": 2},
                    {"product_id": "desk", "price": 11.75, "quantity": 1},
                ],
            },
        },
    ]


def rows_of(user: str) -> list[Row]:
    """What the platform has to make of it, by hand."""
    device = f"device-of-{user}"
    return [
        ("user_updated", user, None, None, None, None),
        ("user_updated", user, None, None, None, None),
        ("page_viewed", user, None, None, None, None),
        ("page_viewed", user, None, None, None, None),
        ("user_aliased", user, None, None, None, None),
        ("item_viewed", user, None, "lamp", None, 3),
        ("item_clicked", f"anonymous:{device}", device, "lamp", None, 2),
        ("item_rated", user, None, "lamp", 4.5, None),
        ("item_impression", user, None, "lamp", None, 1),
        ("item_impression", user, None, "sofa", None, 2),
        ("item_impression", user, None, "desk", None, 3),
        ("item_converted", user, None, "lamp", 41.0, None),
        ("item_converted", user, None, "desk", 11.75, None),
    ]


@dataclass(frozen=True)
class Collector:
    """The API of one installation, as a process of its own."""

    installation: Installation
    address: str


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    installation = Installation(tmp_path / "data")
    port = free_port()
    with running(
        [*COMMAND, "serve", "--port", str(port), "--data-dir", str(tmp_path / "data")],
        log=tmp_path / "serve.log",
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/readyz"),
        environment={**os.environ, "FEEDBACK_WRITE_KEYS": f"shop:{WRITE_KEY}"},
    ):
        yield Collector(installation, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def node_program() -> Path:
    """`send.mjs` beside the library that npm installed by its lock file."""
    directory = CACHE / "segment_sdks"
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "send.mjs"):
        shutil.copyfile(SDK_DIR / name, directory / name)
    npm = required_command("npm", "npm")
    run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory)
    return directory / "send.mjs"


@pytest.fixture(params=["python", "node"])
def library(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The command that makes calls with one of the libraries."""
    if request.param == "python":
        return sys.executable, str(SDK_DIR / "send.py")
    return required_command("node", "nodejs"), str(request.getfixturevalue("node_program"))


@pytest.mark.parametrize("encoding", ["plain", "gzip"])
def test_ten_thousand_events_become_interactions_of_the_types_they_meant(
    collector: Collector, library: tuple[str, str], encoding: str, tmp_path: Path
) -> None:
    users = [f"{encoding}-{number}" for number in range(USERS)]
    calls = [call for user in users for call in calls_of(user)]
    (tmp_path / "calls.json").write_text(json.dumps(calls))

    run(
        [*library, str(tmp_path / "calls.json"), collector.address, WRITE_KEY, encoding],
        cwd=tmp_path,
        seconds=SEND_SECONDS,
    )
    process(collector.installation)

    assert len(calls) == 10_000
    expected = pl.DataFrame(
        [row for user in users for row in rows_of(user)], schema=COLUMNS, orient="row"
    )
    found = collector.installation.query(f"select {', '.join(COLUMNS)} from {INTERACTIONS}")
    assert_frame_equal(found, expected, check_row_order=False)


def process(installation: Installation) -> None:
    directory = str(installation.settings.data_dir)
    run([*COMMAND, "process", "--data-dir", directory], cwd=installation.settings.data_dir)
