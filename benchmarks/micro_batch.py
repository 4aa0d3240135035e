"""What a micro-batch costs beside little and beside much that is stored.

    python benchmarks/micro_batch.py [--stored 1000000 50000000] [--events 3000] [--rounds 5]

A year of a product's traffic at a constant rate, in raw objects of an hour each, goes through the
real path first, a million events at a time. Users come, stay for four weeks and go; items stay. One
event in ten does not say whose it is, and belongs to the user of its device. Then micro-batches of
the next minutes are cleaned, taken in, transformed and published, one after another, and timed
part by part. Ids are random, as SDKs make them. Of all events, one in a hundred is an hour late and
one in a hundred a month; of the micro-batches', one in a hundred is a delivery again. Memory is the
peak of the process that does the micro-batches. The peer is the bare engine: Polars reads the lines
of each micro-batch, drops duplicates and parses times, and DuckDB appends the rows to one table in
a file.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl
from machine import say_what_machine
from numpy.typing import NDArray

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake.raw import list_raw_objects, read_raw_object, write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.connection import exclusive_warehouse
from feedback_platform.warehouse.increments import build_tables
from feedback_platform.warehouse.loading import RUN_ROWS, stage_batches
from feedback_platform.warehouse.publishing import publish
from feedback_platform.warehouse.transformation import DbtProject

BEGINNING: Final = datetime(2025, 1, 1, tzinfo=UTC)
EVENTS_A_DAY: Final = 140_000
EVENTS_A_VISIT: Final = 6
STAY_DAYS: Final = 28
NEW_USERS_A_DAY: Final = 400
ITEMS: Final = 5_000
KNOWN: Final = 0.9
PARTS: Final = ("clean", "take in", "transform", "publish")
TYPES: Final = (
    ("item_impression", 0.50),
    ("item_viewed", 0.20),
    ("item_clicked", 0.12),
    ("item_used", 0.12),
    ("item_liked", 0.02),
    ("item_rated", 0.02),
    ("item_converted", 0.02),
)


def main() -> None:
    """Print a table, a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stored", type=int, nargs="+", default=[1_000_000, 50_000_000])
    parser.add_argument("--events", type=int, default=3_000, help="in a micro-batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--step", choices=["store", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step == "store":
        store(Run(chosen.directory), chosen.stored[0])
        return
    if chosen.step == "measure":
        found = _measured(chosen.directory, chosen.stored[0], chosen.events, chosen.rounds)
        print(json.dumps(found))
        return
    say_what_machine()
    head = "".join(f"{part + ', s':>14}" for part in PARTS)
    tail = f"{'ratio':>8}{'CPU, s':>9}{'memory, MB':>12}{'bare, s':>9}"
    print(f"{'stored':>12}{head}{'together, s':>14}{tail}")
    reference = 0.0
    for stored in chosen.stored:
        with tempfile.TemporaryDirectory() as name:
            command = [sys.executable, __file__, "--directory", name, "--stored", str(stored)]
            command += ["--events", str(chosen.events), "--rounds", str(chosen.rounds)]
            # Each in a process of its own, so that the memory of one is not taken for the other's.
            subprocess.run([*command, "--step", "store"], check=True)  # noqa: S603 - this file
            measured = subprocess.check_output([*command, "--step", "measure"])  # noqa: S603
        found = json.loads(measured)
        together = found["together"]
        reference = reference or together
        print(
            f"{stored:>12,}"
            + "".join(f"{found[part]:>14.2f}" for part in PARTS)
            + f"{together:>14.2f}{together / reference:>8.2f}{found['cpu']:>9.2f}"
            + f"{found['memory']:>12,.0f}{found['bare']:>9.2f}",
            flush=True,
        )


def hours_of(stored: int) -> int:
    """Return how many hours so many events take to come."""
    return -(-stored * 24 // EVENTS_A_DAY)


def store(run: Run, stored: int) -> dict[str, float]:
    """Bring a history through to the published tables; return the seconds of each part in all."""
    spent: dict[str, float] = dict.fromkeys(PARTS, 0.0)
    chance = np.random.default_rng(stored)
    hours = hours_of(stored)
    pieces = -(-stored // RUN_ROWS)
    for piece in range(pieces):
        for hour in range(hours * piece // pieces, hours * (piece + 1) // pieces):
            land(run.lake, chance, hour * 3600, 3600, stored // hours, f"{hour:08d}")
        timings = run.once()
        spent = {part: spent[part] + timings[part] for part in PARTS}
    return spent


def _measured(directory: Path, stored: int, events: int, rounds: int) -> dict[str, float]:
    run = Run(directory)
    chance = np.random.default_rng(stored + 1)
    begins = hours_of(stored) * 3600
    timings: list[dict[str, float]] = []
    bare = duckdb.connect(directory / "bare.duckdb")
    for number in range(rounds + 1):
        at = begins + number * 30
        land(run.lake, chance, at, 30, events, f"m{number:08d}", is_live=True)
        timings.append(run.once())
        lines = read_raw_object(run.lake, list_raw_objects(run.lake)[-1])
        began = time.perf_counter()
        _append(bare, lines)
        timings[-1]["bare"] = time.perf_counter() - began
    # The first finds caches and compiled statements that the others have.
    counted = timings[1:]
    found = {key: statistics.median(each[key] for each in counted) for key in counted[0]}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**found, "memory": memory}


class Run:
    """An installation in a directory, and the way of events through it, timed by a clock."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.perf_counter) -> None:
        self.lake = Lake((directory / "lake").as_uri())
        self.warehouse = directory / "warehouse" / "warehouse.duckdb"
        self.published = directory / "published" / "feedback.duckdb"
        self._clock = clock
        self._cache = directory / "cache"
        self._project = DbtProject(DBT_PROJECT_DIR, directory / "target", self.warehouse)
        self._definitions = self._project.fingerprint()

    def once(self) -> dict[str, float]:
        """Take what has landed through to the published tables; return seconds by part."""
        began, cpu = self._clock(), time.process_time()
        parts = {
            "clean": self._seconds(lambda: clean_new(self.lake, default_rules(), is_sweep=False)),
        }
        with exclusive_warehouse(self.warehouse) as path:
            remaining, parts["take in"], parts["transform"] = 1, 0.0, 0.0
            while remaining:
                staging = self._clock()
                staged = stage_batches(path, self.lake, self._cache)
                parts["take in"] += self._clock() - staging
                building = self._clock()
                build_tables(self._project, staged, self._definitions)
                parts["transform"] += self._clock() - building
                remaining = staged.remaining
            parts["publish"] = self._seconds(lambda: publish(path, self.published, self.lake))
        together = self._clock() - began
        return {**parts, "together": together, "cpu": time.process_time() - cpu}

    def _seconds(self, call: Callable[[], Any]) -> float:
        began = self._clock()
        call()
        return self._clock() - began


def land(
    lake: Lake,
    chance: np.random.Generator,
    begins: int,
    seconds: int,
    events: int,
    name: str,
    *,
    is_live: bool = False,
) -> None:
    """Write one raw object with the events of some seconds since the beginning."""
    received = np.sort(chance.uniform(begins, begins + seconds, events))
    late = np.zeros(events)
    late[::100], late[1::100] = 3600, 30 * 86_400
    occurred = np.maximum(received - late, 0)
    # A visit is a user and an hour; so many of them that each has a handful of events.
    hour = (occurred // 3600).astype(int)
    visit = chance.integers(0, max(1, EVENTS_A_DAY // 24 // EVENTS_A_VISIT), events)
    # Of a hash, so that a visit has the same user in whatever object its events arrive.
    drawn = pl.Series(hour * 1_000_003 + visit).hash(seed=7).to_numpy()
    cohort = hour // 24 - (drawn % STAY_DAYS).astype(int)
    user = cohort * NEW_USERS_A_DAY + (drawn // STAY_DAYS % NEW_USERS_A_DAY).astype(int)
    item = (ITEMS * chance.random(events) ** 2).astype(int)
    number = np.arange(events)
    source = np.full(events, name)
    if is_live:
        again = number[2::100]
        stored = chance.integers(0, int(begins // 3600), len(again))
        source[again] = [f"{each:08d}" for each in stored]
        number[again] = chance.integers(0, 1000, len(again))
    kinds, shares = zip(*TYPES, strict=True)
    kind = chance.choice(kinds, events, p=shares)
    value = np.where(
        kind == "item_rated",
        chance.integers(1, 11, events) / 2,
        np.exp(chance.normal(9, 1, events)).round(),
    )
    lines = (
        pl.DataFrame(
            {
                "event_id": _ids(source, number),
                "event_type": kind,
                "user_id": user,
                "anonymous_id": user,
                "is_known": chance.random(events) < KNOWN,
                "item_id": item,
                "session_id": hour,
                "occurred_at": _times(occurred),
                "received_at": _times(received),
                "value": value,
            }
        )
        .with_columns(
            pl.when("is_known").then(pl.format("u{}", "user_id")).alias("user_id"),
            pl.format("d{}", "anonymous_id").alias("anonymous_id"),
            pl.format("i{}", "item_id").alias("item_id"),
            pl.format("{}-{}", "user_id", "session_id").alias("session_id"),
            pl.when(pl.col("event_type").is_in(["item_viewed", "item_used", "item_rated"])).then(
                "value"
            ),
            pl.lit("home").alias("placement"),
            pl.lit("desktop").alias("device_type"),
        )
        .drop("is_known")
    )
    buffer = io.BytesIO()
    lines.write_ndjson(buffer)
    write_raw_object(
        lake,
        received_at=BEGINNING + timedelta(seconds=begins),
        source="bench",
        sortable_id=name,
        ndjson=buffer.getvalue(),
    )


def _ids(source: NDArray[np.str_], number: NDArray[np.int64]) -> list[str]:
    """Return ids that look random, and are the same for the same event."""
    named = pl.DataFrame({"source": source, "number": number}).select(
        pl.format("{}-{}", "source", "number").alias("name")
    )["name"]
    digits = np.stack([named.hash(seed=1), named.hash(seed=2)], axis=1).tobytes().hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def _times(seconds: NDArray[np.float64]) -> pl.Series:
    micros = (seconds * 1e6).astype("int64") + int(BEGINNING.timestamp()) * 1_000_000
    return pl.Series(micros).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")


def _append(bare: duckdb.DuckDBPyConnection, lines: bytes) -> None:
    """Do with a raw object what a few lines of code do."""
    times = pl.col("occurred_at", "received_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ")
    rows = pl.read_ndjson(lines).unique("event_id", keep="first").with_columns(times)
    bare.register("rows", rows.to_arrow())
    bare.execute("create table if not exists events as from rows limit 0")
    bare.execute("insert into events from rows")
    bare.execute("checkpoint")


if __name__ == "__main__":
    main()
