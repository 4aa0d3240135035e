"""What the stages that no server does take, each in a process of its own, by its clock.

python benchmarks/capacity_stages.py pipeline|learning|dashboard SIZE

The work is that of the other benchmarks; this file asks them, and puts what they say into one form.
Times are of all threads of the process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

import dashboard
import duckdb
import learning
import micro_batch
import numpy as np
from capacity_sizing import EVENTS, MICRO_BATCH, SCORES, Cost
from cleaning import clean_plainly

from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform.warehouse.published import open_published

STORED: Final = "stored events"
FIRST: Final = 1_000
BATCHES: Final = (1_000, 20_000)
ROUNDS: Final = 2
READS: Final = 200
DAYS: Final = 730
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
        Cost(MICRO_BATCH, "batches", STORED, stored, low - slope * few),
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
            SCORES,
            SCORES,
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


def in_a_process(step: str, size: int) -> list[Cost]:
    """Have a step measured in a process of its own, whose memory is nobody else's."""
    command = [sys.executable, __file__, step, str(size)]
    # Gigabytes, which the process does not remove if it is killed: this one does.
    with tempfile.TemporaryDirectory() as place:
        printed = subprocess.run(  # noqa: S603
            command, check=True, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": place}
        ).stdout
    return [Cost(**each) for each in json.loads(printed.splitlines()[-1])]


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


_ARGUMENTS: Final = 3
STEPS: Final = {"pipeline": pipeline, "learning": learn, "dashboard": page}

if __name__ == "__main__" and len(sys.argv) == _ARGUMENTS:
    print(json.dumps([asdict(each) for each in STEPS[sys.argv[1]](int(sys.argv[2]))]))
