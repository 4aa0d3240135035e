"""Latency of recommendations, each after a click of the same user, beside a constant answer.

    python benchmarks/recommendations_api.py [--seconds 10] [--rate 1000] [--workers 2]
        [--items 100000] [--users 50000] [--connections 0] [--ahead 0.1]

A user's click is sent a while before the user's list is due, a tenth of a second unless told
otherwise, so that it folds into every list; the list is noted back into the lake as well. A click
is answered when it is durable. Where that takes longer, the list is late, and the time counts as
its latency; the column `late` says how often that was. Clicks and requests come over many
connections to several workers, and a click may reach another worker than the request. The peer
(constant_answer.py) is a bare Starlette application with as many of uvicorn's workers, which
answers both with a constant of the same size. The lists are made up: 100 candidates a user, a
ranker of 100 trees.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from subprocess import check_output
from typing import Final
from uuid import uuid4

import click
import lightgbm as lgb
import numpy as np
import orjson
import psutil
import uvloop
from collector import cpu_seconds, free_port, server
from machine import say_what_machine
from open_loop import PLACES, WARM_UP_SECONDS, Exchange, measure

from feedback_platform.lake.store import Lake
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.ranker_features import FEATURES
from feedback_platform.learning.ranker_trees import Trees
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists
from feedback_platform_tests.serving.published_users import publish_users

_HOST: Final = "127.0.0.1"
_TARGET_SECONDS: Final = 0.010
# For each list of which the click was sent: it keeps its connection until the list has come.
_CONNECTIONS_A_LIST: Final = 1.6
_SOURCES: Final = 3


def trees() -> Trees:
    """Return a ranker as large as the one that is shipped, fitted to noise."""
    random_numbers = np.random.default_rng(1)
    rows = random_numbers.random((20_000, _SOURCES + len(FEATURES)), dtype=np.float32)
    labels = (rows.sum(axis=1) + random_numbers.normal(0, 1, len(rows)) > rows.shape[1] / 2) * 1
    parameters = {"objective": "binary", "num_leaves": 8, "verbose": -1}
    return Trees.of(lgb.train(parameters, lgb.Dataset(rows, labels), num_boost_round=100))


def exchanges(number: int, users: int, items: int) -> list[Exchange]:
    """Return as many different users' clicks, each before the request for their list."""
    made = []
    for _ in range(number):
        user = f"user-{random.randrange(users)}"  # noqa: S311
        event = {
            "type": "track",
            "event": "Product Clicked",
            "messageId": str(uuid4()),
            "userId": user,
            "properties": {"product_id": f"item-{random.randrange(items)}"},  # noqa: S311
            "context": {"library": {"name": "analytics.js", "version": "2.1.0"}},
        }
        body = orjson.dumps(event)
        head = f"POST /v1/track HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        request = f"GET /v1/recommendations/{user} HTTP/1.1\r\nhost: x\r\n\r\n"
        made.append(Exchange(request.encode(), head.encode() + body))
    return made


def publish(directory: Path, users: int, items: int) -> None:
    """Make an installation with lists, and with what its users allow."""
    publish_made_up_lists(
        Lake((directory / "lake").as_uri()),
        [f"user-{number}" for number in range(users)],
        items=items,
        candidates=100,
        own=20,
        neighbours=50,
        exploration=Exploration(),
        trees=trees(),
    )
    publish_users(directory / "published" / "feedback.duckdb", segments={}, opted_out=[])


def answer_bytes(port: int) -> int:
    """Return the size of an answer, when there is a personal one."""
    url = f"http://{_HOST}:{port}/v1/recommendations/user-0?log=false"
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url) as response:
                body: bytes = response.read()
            if orjson.loads(body)["is_personalised"]:
                return len(body)
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


@click.group(invoke_without_command=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--rate", default=1000.0, show_default=True, help="Lists a second.")
@click.option("--workers", default=2, show_default=True)
@click.option("--connections", default=0, show_default=True, help="0 for as many as it takes.")
@click.option("--ahead", default=0.1, show_default=True, help="Seconds from click to list.")
@click.option("--items", default=100_000, show_default=True)
@click.option("--users", default=50_000, show_default=True)
@click.pass_context
def main(
    context: click.Context,
    seconds: float,
    rate: float,
    workers: int,
    connections: int,
    ahead: float,
    items: int,
    users: int,
) -> None:
    """Measure and print a table."""
    if context.invoked_subcommand is not None:
        return
    say_what_machine()
    print(
        f"{items:,} items, {users:,} users, {workers} workers, a click {ahead:g} s before each list"
    )
    print(f"target: p99 of at most {_TARGET_SECONDS * 1e3:.0f} ms at 1,000 requests/s")
    print(
        f"{'server':<10} {'lists/s':>8} {'p50':>9} {'p95':>9} {'p99':>9} {'p99.9':>9} "
        f"{'of target':>9} {'late':>6} {'CPU/pair':>9} {'memory':>8} {'errors':>7}"
    )
    connections = connections or int(rate * ahead * _CONNECTIONS_A_LIST) + 1
    load = [str(each) for each in (rate, connections, users, items, seconds, ahead)]
    with tempfile.TemporaryDirectory() as made:
        publish(Path(made), users, items)
        port = free_port()
        serve = [sys.executable, "-m", "feedback_platform", "serve", "--quiet"]
        serve += ["--data-dir", made, "--port", str(port), "--workers", str(workers)]
        with server(serve, port) as process:
            size = answer_bytes(port)
            # Every worker has the lists by now.
            time.sleep(3)
            print_measured("lists", process, port, load)
        script = str(Path(__file__).with_name("constant_answer.py"))
        constant = [sys.executable, script, str(port), str(workers), str(size)]
        with server(constant, port) as process:
            print_measured("constant", process, port, load)


def measured(process: psutil.Process, port: int, load: list[str]) -> dict[str, float]:
    """Return what a server did under load, its processor seconds and its memory in bytes."""
    before = cpu_seconds(process)
    asked = [sys.executable, __file__, "generate", str(port), *load]
    found: dict[str, float] = json.loads(check_output(asked))  # noqa: S603
    spent = cpu_seconds(process) - before
    everyone = [process, *process.children(recursive=True)]
    memory = sum(each.memory_info().rss for each in everyone)
    return {**found, "spent": spent, "memory": memory}


def print_measured(name: str, process: psutil.Process, port: int, load: list[str]) -> None:
    """Measure a server and print a row."""
    found = measured(process, port, load)
    latencies = " ".join(f"{found[place] * 1e3:>6.2f} ms" for place in PLACES)
    print(
        f"{name:<10} {found['requests_per_second']:>8,.0f} {latencies} "
        f"{found['p99'] / _TARGET_SECONDS:>9.2f} {found['late']:>6.1%} "
        f"{found['spent'] / found['answered'] * 1e6:>6.0f} µs {found['memory'] / 2**20:>5,.0f} MB "
        f"{found['failures']:>7,.0f}"
    )


@main.command()
@click.argument("port", type=int)
@click.argument("rate", type=float)
@click.argument("connections", type=int)
@click.argument("users", type=int)
@click.argument("items", type=int)
@click.argument("seconds", type=float)
@click.argument("ahead", type=float)
def generate(
    port: int,
    rate: float,
    connections: int,
    users: int,
    items: int,
    seconds: float,
    ahead: float,
) -> None:
    """Be the load."""
    made = exchanges(int(rate * (seconds + WARM_UP_SECONDS + 1)), users, items)
    load = measure(port, made, rate=rate, connections=connections, seconds=seconds, ahead=ahead)
    click.echo(json.dumps(uvloop.run(load)))


if __name__ == "__main__":
    main()
