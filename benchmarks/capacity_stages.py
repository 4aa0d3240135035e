"""What each stage takes, by the processor's clock: steps in processes of their own, and servers.

python benchmarks/capacity_stages.py pipeline|learning|dashboard SIZE

The work is that of the other benchmarks; this file only asks them, at several sizes, and puts what
they say into one form. Times are of all threads of a process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any, Final

import collector
import dashboard
import duckdb
import flags
import learning
import micro_batch
import numpy as np
import psutil
import recommendations_api
from capacity_sizing import EVENTS, Cost
from cleaning import clean_plainly

from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform.warehouse.published import open_published

STORED: Final = "stored events"
FIRST: Final = 1_000
BATCHES: Final = (1_000, 20_000)
ROUNDS: Final = 2
READS: Final = 200
SECONDS: Final = 4.0
ITEMS: Final = 20_000
LISTS_A_SECOND: Final = 200.0
FLAGS_A_SECOND: Final = 1_000.0
DAYS: Final = 730
_LOOK_SECONDS: Final = 0.1
_PUBLISHED: Final = (
    "interaction.interactions",
    "interaction.sessions",
    "feedback.user_feedback",
    "feedback.feedback_scores",
    "features.user_features",
)


def pipeline(stored: int) -> list[Cost]:
    """Take a history through to the published tables; then micro-batches, reads, and the peers."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        run = micro_batch.Run(directory, time.process_time)
        # dbt is parsed, its tables are made, and the first reference is fitted.
        micro_batch.land(run.lake, np.random.default_rng(0), 0, 3600, FIRST, "first")
        run.once()
        spent = micro_batch.store(run, stored)
        memory = _memory()
        layers = {
            "raw objects": sum(_sizes(directory / "lake" / "raw")),
            "clean Parquet": sum(_sizes(directory / "lake" / "clean")),
            "warehouse file": run.warehouse.stat().st_size,
            "published Parquet": _published_bytes(run.published),
        }
        held = [
            Cost(layer, EVENTS, STORED, stored, size / (stored + FIRST))
            for layer, size in layers.items()
        ]
        costs = [*_micro_batches(run, stored), *_readers(run, stored)]
        peers = _peers(run, directory, stored + FIRST + sum(BATCHES) * (ROUNDS + 1))
    names = dict(
        zip(micro_batch.PARTS, ("raw to clean", "taking in", "dbt", "publishing"), strict=True)
    )
    for part, stage in names.items():
        each = spent[part] / stored
        costs.append(Cost(stage, EVENTS, STORED, stored, each, memory, peers.get(stage)))
    return costs + held


def _micro_batches(run: micro_batch.Run, stored: int) -> list[Cost]:
    """Return what a micro-batch takes before its events: where a line through two sizes begins."""
    chance = np.random.default_rng(stored + 1)
    spent: dict[int, list[float]] = {events: [] for events in BATCHES}
    for number in range(len(BATCHES) * (ROUNDS + 1)):
        at = micro_batch.hours_of(stored) * 3600 + number * 30
        events = BATCHES[number % len(BATCHES)]
        micro_batch.land(run.lake, chance, at, 30, events, f"m{number:08d}", is_live=True)
        spent[events].append(run.once()["cpu"])
    few, many = BATCHES
    # The first of each finds caches and compiled statements that the others have.
    low, high = (median(spent[events][1:]) for events in BATCHES)
    slope = max(0.0, (high - low) / (many - few))
    return [
        Cost("a micro-batch, before its events", "batches", STORED, stored, low - slope * few),
        Cost("an event of a micro-batch", EVENTS, STORED, stored, slope),
    ]


def _readers(run: micro_batch.Run, stored: int) -> list[Cost]:
    """Return what reads of the published database take: all scores anew, and a user's features."""
    with open_published(run.published) as connection:

        def asked(sql: str) -> float:
            return _spent(lambda: connection.execute(sql).fetchall())

        ((feedback,),) = connection.execute(
            "select count(*) from feedback.user_feedback"
        ).fetchall()
        anew = asked(
            "select count(*), sum(feedback_score)"
            " from feedback.feedback_scores_as_of(timestamp '2099-01-01')"
        )
        plain = asked(
            "select count(*), sum(score) from (select avg(feedback_score) as score"
            " from feedback.user_feedback group by user_id, item_id)"
        )
        users = connection.execute(
            "select user_id from features.user_features order by hash(user_id) limit ?", [READS]
        ).fetchall()
        sql = "from features.user_features where user_id = ?"
        reads = _spent(lambda: [connection.execute(sql, user).fetchall() for user in users])
    return [
        Cost(
            "feedback score, all anew",
            "pieces of feedback",
            STORED,
            stored,
            anew / feedback,
            peer=plain / feedback,
        ),
        Cost("reading a user's features", "requests", STORED, stored, reads / len(users)),
    ]


def _peers(run: micro_batch.Run, directory: Path, events: int) -> dict[str, float]:
    """Return what bare engines take for an event: Polars for cleaning, DuckDB for the rest."""
    files = str(directory / "lake" / "clean" / "**" / "*.parquet")
    bare = directory / "bare.duckdb"

    def insert() -> None:
        with duckdb.connect(bare) as connection:
            connection.execute(
                "create table events as from read_parquet(?, union_by_name = true)", [files]
            )

    def copy() -> None:
        with duckdb.connect(run.warehouse, read_only=True) as connection:
            for number, table in enumerate(_PUBLISHED):
                target = str(directory / f"{number}.parquet").replace("'", "''")
                connection.execute(f"copy {table} to '{target}' (compression zstd)")

    taken = {
        "taking in": insert,
        "publishing": copy,
        "raw to clean": lambda: clean_plainly(run.lake),
    }
    return {stage: _spent(call) / events for stage, call in taken.items()}


def learn(scores: int) -> list[Cost]:
    """Train, group and list as a night does; the peer is LightFM alone."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        learning.made(scores).write_parquet(directory / "scores.parquet")
        found = learning.measured(directory, time.process_time)
        alone = learning.peer(directory, time.process_time)["LightFM alone"]
    steps = {"training": "recommender", "segments": "segments", "making lists": "lists"}
    return [
        Cost(
            stage,
            "scores",
            "scores",
            scores,
            found[step] / scores,
            found["memory"] * 2**20,
            alone / scores if stage == "training" else None,
        )
        for stage, step in steps.items()
    ]


def page(interactions: int) -> list[Cost]:
    """Show the dashboard's overview after a publication and again; the peer is its bare queries."""
    Snapshot.rows = dashboard.noted(Snapshot.rows)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as name:
        path = dashboard.publish(Path(name), interactions, DAYS)
        dashboard.seconds_of(path, "overview")
        os.utime(path)
        dashboard.ASKED.clear()
        first = _spent(lambda: dashboard.seconds_of(path, "overview"))
        asked = list(dashboard.ASKED)
        again = _spent(lambda: dashboard.seconds_of(path, "overview"))
        plain = _spent(lambda: dashboard.peer_seconds(path, asked))
    size, memory = float(interactions), _memory()
    return [
        Cost("dashboard page, first", "requests", STORED, size, first, memory, plain),
        Cost("dashboard page, again", "requests", STORED, size, again, memory),
    ]


def collecting(connections: Sequence[int]) -> Iterator[Cost]:
    """Give what a durable event takes; the peer decodes the same requests and stores nothing."""
    for stage, path, batch in (
        ("collecting, one event a request", "/v1/track", 1),
        ("collecting, 100 events a request", "/v1/batch", 100),
    ):
        for number in connections:
            port = collector.free_port()
            bare = [sys.executable, collector.__file__, "bare", str(port)]
            plain = collector.measured(bare, port, path, batch, number, SECONDS)
            with tempfile.TemporaryDirectory() as directory, peak() as memory:
                command = _serve(directory, port)
                found = collector.measured(command, port, path, batch, number, SECONDS)
            _nothing_failed(stage, found)
            each, peer = (every["cpu_per_request"] / batch for every in (found, plain))
            yield Cost(stage, EVENTS, "connections", number, each, memory[0], peer)


def listing(users: Sequence[int]) -> Iterator[Cost]:
    """Give what a click and the list after it take, and the lists' file; the peer is a constant."""
    for number in users:
        port = collector.free_port()
        rate, ahead = LISTS_A_SECOND, 0.1
        open_connections = int(rate * ahead * 2) + 1
        load = [str(e) for e in (rate, open_connections, number, ITEMS, SECONDS, ahead)]
        with tempfile.TemporaryDirectory() as directory:
            recommendations_api.publish(Path(directory), number, ITEMS)
            file = max(_sizes(Path(directory, "lake")))
            with collector.server(_serve(directory, port), port) as process:
                size = recommendations_api.answer_bytes(port)
                time.sleep(1)
                found = recommendations_api.measured(process, port, load)
        script = str(Path(__file__).with_name("constant_answer.py"))
        constant = [sys.executable, script, str(port), "1", str(size)]
        with collector.server(constant, port) as process:
            plain = recommendations_api.measured(process, port, load)
        stage = "a click and the list after it"
        _nothing_failed(stage, found)
        each, peer = (every["spent"] / every["answered"] for every in (found, plain))
        yield Cost(stage, "requests", "users", number, each, found["memory"], peer)
        yield Cost("lists file", "users", "users", number, file / number)


def flag(users: Sequence[int]) -> Iterator[Cost]:
    """Give what the evaluation of a flag takes; the peer decodes the request."""
    for number in users:
        port = collector.free_port()
        with tempfile.TemporaryDirectory() as directory:
            # The bare application and the server; the others answer other questions.
            both = islice(flags.installations(directory, number, port), 2)
            measured = []
            for _, path, command in both:
                with peak() as memory:
                    load = (path, FLAGS_A_SECOND, 64, number)
                    measured.append(flags.measured(command, port, *load, seconds=SECONDS))
        plain, found = (each["cpu_per_request"] for each in measured)
        _nothing_failed("evaluating a flag", measured[1])
        yield Cost("evaluating a flag", "requests", "users", number, found, memory[0], plain)


def in_a_process(step: str, size: int) -> list[Cost]:
    """Have a step measured in a process of its own, whose memory is nobody else's."""
    command = [sys.executable, __file__, step, str(size)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603
    return [Cost(**each) for each in json.loads(printed.splitlines()[-1])]


@contextmanager
def peak() -> Iterator[list[float]]:
    """Look at the memory of all that this process starts meanwhile, but for the load; in bytes."""
    found, ended = [0.0], Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            found[0] = max(found[0], _resident())

    looking = Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        ended.set()
        looking.join()


def _resident() -> float:
    held = 0.0
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            held += 0 if "generate" in each.cmdline() else each.memory_info().rss
    return held


def _serve(directory: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "feedback_platform", "serve", "--quiet"]
    return [*command, "--data-dir", directory, "--port", str(port), "--workers", "1"]


def _nothing_failed(stage: str, found: dict[str, float]) -> None:
    if found["failures"]:
        print(f"{stage}: {found['failures']:.0f} requests failed", file=sys.stderr)


def _spent(call: Callable[[], Any]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _published_bytes(path: Path) -> int:
    """Return the size of the files that count; those before them are kept for an hour."""
    with open_published(path) as connection:
        files = connection.execute("select distinct name from published.files").fetchall()
    return sum((path.parent / "tables" / name).stat().st_size for (name,) in files)


def _sizes(path: Path) -> list[int]:
    return [each.stat().st_size for each in path.rglob("*") if each.is_file()]


STEPS: Final = {"pipeline": pipeline, "learning": learn, "dashboard": page}

if __name__ == "__main__":
    print(json.dumps([asdict(each) for each in STEPS[sys.argv[1]](int(sys.argv[2]))]))
