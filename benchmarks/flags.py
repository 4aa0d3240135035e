"""Latency of OFREP evaluations at a steady rate, beside a bare application that evaluates nothing.

    python benchmarks/flags.py [--seconds 10] [--rate 5000] [--connections 64] [--users 100000]

Each server runs as a process of its own, and so does the load (open_loop.py). The server has 20
flags with rules, and the segments of all users; at last an experiment varies the flag.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import check_output
from typing import Any

import click
import orjson
import uvloop
from collector import cpu_seconds, free_port, server
from machine import say_what_machine
from open_loop import PLACES, Exchange, measure

from feedback_platform.adjustment.flags.definition import Flag
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.flags.parsing import parse_flag
from feedback_platform.experiments.definition import HoldOut
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.lake.store import Lake
from feedback_platform_tests.experiments.arms import experiment
from feedback_platform_tests.serving.published_users import publish_users

_SINGLE = "/ofrep/v1/evaluate/flags/flag-7"
_BULK = "/ofrep/v1/evaluate/flags"
_FLAGS = 20


def flags() -> dict[str, Flag]:
    """Return flags such as an installation has, each with three rules."""
    rules = [
        {
            "name": "old apps",
            "when": [{"attribute": "app_version", "version_below": "2.0.0"}],
            "variant": "list",
        },
        {
            "name": "fans",
            "when": [
                {"attribute": "segment", "in": ["segment 1", "segment 2"]},
                {"attribute": "country", "in": ["AT", "DE", "CH"]},
            ],
            "variant": "cards",
        },
        {"name": "rollout", "split": {"list": 50, "cards": 50}, "percentage": 40},
    ]
    table = {
        "type": "string",
        "default": "list",
        "variants": {"list": "list", "cards": "cards"},
        "rules": rules,
    }
    keys = [f"flag-{number}" for number in range(_FLAGS)]
    return {key: parse_flag(key, table, origin="benchmark") for key in keys}


def requests(path: str, users: int) -> list[Exchange]:
    """Return requests to repeat."""
    made = []
    for _ in range(4000):
        context = {
            "targetingKey": f"user-{random.randrange(users)}",  # noqa: S311
            "country": random.choice(["AT", "FR", "US"]),  # noqa: S311
            "app_version": random.choice(["1.9.0", "2.1.0", "2.10.3"]),  # noqa: S311
            "platform": "web",
        }
        body = orjson.dumps({"context": context})
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        made.append(Exchange(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body))
    return made


def measured(command: list[str], port: int, *load: Any, seconds: float) -> dict[str, float]:
    """Return what a server did under load."""
    with server(command, port) as process:
        # The flags, and the segments of all users, are read by now.
        time.sleep(5)
        before = cpu_seconds(process)
        asked = [sys.executable, __file__, "generate", *map(str, (port, *load, seconds))]
        found: dict[str, float] = json.loads(check_output(asked))  # noqa: S603
        spent = cpu_seconds(process) - before
    return {**found, "cpu_per_request": spent / found["answered"]}


def installations(directory: str, users: int, port: int) -> Iterator[tuple[str, str, list[str]]]:
    """Give the servers and the paths that are compared: name, path, command."""
    Flags(Lake(Path(directory, "lake").as_uri())).apply(
        flags(), Author("person:benchmark", "to measure", datetime.now(UTC))
    )
    segments = {f"user-{number}": f"segment {number % 8}" for number in range(users)}
    publish_users(Path(directory, "published", "feedback.duckdb"), segments=segments, opted_out=[])
    collector = str(Path(__file__).with_name("collector.py"))
    serve = [sys.executable, "-m", "feedback_platform", "serve", "--quiet"]
    serve += ["--data-dir", directory, "--port", str(port)]
    yield "bare decode", _SINGLE, [sys.executable, collector, "bare", str(port)]
    yield "one flag", _SINGLE, serve
    yield f"all {_FLAGS} flags", _BULK, serve
    start_experiment(directory)
    yield "one, varied", _SINGLE, serve


def start_experiment(directory: str) -> None:
    """Vary the flag that is asked for: each user's first evaluation of it is logged, too."""
    author = Author("person:benchmark", "to measure", datetime.now(UTC))
    halves = {"list": "list", "cards": "cards"}
    definition = experiment(
        subject="flag-7", variants=halves, control="list", split=dict.fromkeys(halves, 50.0)
    )
    started = Started(definition, HoldOut(2.0), author, author.at)
    ExperimentLog(Lake(Path(directory, "lake").as_uri())).append(lambda _: started)


@click.group(invoke_without_command=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--rate", default=5000.0, show_default=True, help="Requests a second.")
@click.option("--connections", default=64, show_default=True)
@click.option("--users", default=100_000, show_default=True)
@click.pass_context
def main(context: click.Context, seconds: float, rate: float, connections: int, users: int) -> None:
    """Measure and print a table."""
    if context.invoked_subcommand is not None:
        return
    say_what_machine()
    print("target: p99 of at most 5 ms at 5,000 requests/s")
    print(
        f"{'asked':<14} {'requests/s':>10} {'p50':>9} {'p95':>9} {'p99':>9} {'p99.9':>9} "
        f"{'CPU/request':>12} {'errors':>7}"
    )
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        for name, path, command in installations(directory, users, port):
            found = measured(command, port, path, rate, connections, users, seconds=seconds)
            latencies = " ".join(f"{found[place] * 1e3:>6.2f} ms" for place in PLACES)
            print(
                f"{name:<14} {found['requests_per_second']:>10,.0f} {latencies} "
                f"{found['cpu_per_request'] * 1e6:>9.0f} µs {found['failures']:>7,.0f}"
            )


@main.command()
@click.argument("port", type=int)
@click.argument("path")
@click.argument("rate", type=float)
@click.argument("connections", type=int)
@click.argument("users", type=int)
@click.argument("seconds", type=float)
def generate(
    port: int, path: str, rate: float, connections: int, users: int, seconds: float
) -> None:
    """Be the load."""
    exchanges = requests(path, users)
    load = measure(port, exchanges, rate=rate, connections=connections, seconds=seconds)
    click.echo(json.dumps(uvloop.run(load)))


if __name__ == "__main__":
    main()
