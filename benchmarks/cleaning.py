"""Raw to clean, events a second: this platform, the same definition on Spark, and plain Polars.

    python benchmarks/cleaning.py [--events 1000000 --events 50000000] [--rounds 3]
        [--without-spark]

Each contender runs as a process of its own and is timed without its start; of several rounds, which
take turns, the best counts. All get the same simulated events, with bad rows, duplicates and clock
errors among them, in raw objects of an hour each.

plain Polars     reads the same JSON, drops duplicates, parses the times, writes Parquet; no rules,
                 no quarantine, and lines that are not JSON were taken out for it beforehand
platform         from the raw objects in a directory to committed Parquet, with every rule on
platform, lines  the same events as they come from Kafka: each in a received line to be translated
Spark            the same definition on local[2], after a first small batch; first size only

The processor's time tells more than the clock's where the machine is not idle; how busy it was is
printed first. Memory is the peak of the process and all that it started.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import orjson
import polars as pl
import polars.selectors as cs
import psutil

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.engines.selection import chosen_engine
from feedback_platform.cleaning.micro_batch import BATCH_BYTES, clean_pending
from feedback_platform.cleaning.processing import refit_reference
from feedback_platform.cleaning.reference import load_references
from feedback_platform.events.received import Format, opened_line
from feedback_platform.lake import keys
from feedback_platform.lake.batches import Ledger
from feedback_platform.lake.raw import list_raw_objects, read_raw_object, write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.settings import load_settings
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation

_FIRST_DAY = date(2026, 1, 5)
_DAYS = 28
_EVENTS_OF_A_USER = 154
# A simulation is held in memory as a whole.
_SIMULATED_AT_ONCE = 1_000_000
_LOOK_SECONDS = 0.05
_CONTENDERS = {
    "platform": ("polars", "raw"),
    "platform, lines": ("polars", "lines"),
    "Spark": ("spark", "raw"),
    "plain Polars": ("plain", "json"),
}


def lake_of(directory: Path) -> Lake:
    """Return the lake in a directory."""
    return Lake(directory.as_uri())


def prepare(directory: Path, events: int) -> None:
    """Write raw events, and the same in received lines and without what is not JSON."""
    raw = lake_of(directory / "raw")
    portions = max(1, round(events / _SIMULATED_AT_ONCE))
    users = max(1, events // portions // _EVENTS_OF_A_USER)
    for seed in range(portions):
        simulated = SimulationParameters(first_day=_FIRST_DAY, users=users, days=_DAYS, seed=seed)
        write_simulation(raw, simulate(simulated))
    for number, key in enumerate(list_raw_objects(raw)):
        content = read_raw_object(raw, key)
        hour = keys.hour_of(key)
        put = partial(
            write_raw_object,
            received_at=hour,
            source="kafka-events-0",
            sortable_id=f"{number:020}",
        )
        lines = [line for line in content.split(b"\n") if line]
        opened = opened_line(
            Format.EVENT,
            received_at=f"{hour:%Y-%m-%dT%H:%M:%SZ}",
            source="events",
            fallback_id=f"events-0-{number}-0a1b2c3d",
        )
        received = b"".join(opened + line + b"}\n" for line in lines)
        put(lake_of(directory / "lines"), ndjson=received)
        good = b"".join(line + b"\n" for line in lines if is_json(line))
        put(lake_of(directory / "json"), ndjson=good)
    now = datetime.combine(_FIRST_DAY, datetime.min.time(), tzinfo=UTC) + timedelta(days=_DAYS)
    for name in ("raw", "lines"):
        refit_reference(lake_of(directory / name), default_rules(), now=now)


def is_json(line: bytes) -> bool:
    """Return whether a strict parser accepts a line."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def clean(lake: Lake, engine_name: str) -> None:
    """Clean all raw objects as the platform does."""
    engine = chosen_engine(load_settings(environment={"FEEDBACK_ENGINE": engine_name}))
    clean_pending(
        lake,
        list_raw_objects(lake),
        default_rules(),
        load_references(lake),
        ledger=Ledger.opened(lake),
        engine=engine,
    )


def clean_plainly(lake: Lake) -> None:
    """Do what a few lines of Polars do, in batches of the same size."""
    held: list[bytes] = []
    written = 0
    objects = list_raw_objects(lake)
    for key in objects:
        held.append(read_raw_object(lake, key))
        if sum(map(len, held)) < BATCH_BYTES and key != objects[-1]:
            continue
        times = cs.by_name("occurred_at", "sent_at", "received_at", require_all=False)
        frame = (
            pl.read_ndjson(io.BytesIO(b"".join(held)), ignore_errors=True)
            .unique("event_id", keep="first")
            .with_columns(times.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", strict=False))
        )
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        lake.put(f"clean/{written}.parquet", buffer.getvalue(), mode="overwrite")
        held.clear()
        written += 1


def cpu_seconds() -> float:
    """Return the processor time of this process and all that it started."""
    this = psutil.Process()
    everyone = [this, *this.children(recursive=True)]
    times = [each.cpu_times() for each in everyone]
    return float(sum(each.user + each.system for each in times))


def measured(name: str, directory: Path, warm_up: Path) -> dict[str, float]:
    """Run a contender as a process; return its seconds, its CPU seconds and its peak memory."""
    engine, content = _CONTENDERS[name]
    command = [sys.executable, __file__, "run", engine, str(directory / content)]
    command += [str(warm_up / content)] if engine == "spark" else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(warm_up))  # noqa: S603
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(_LOOK_SECONDS)
    printed, _ = process.communicate()
    if process.returncode != 0:
        raise click.ClickException(f"{name} failed.")
    for made in ("clean", "quarantine"):
        shutil.rmtree(directory / content / made, ignore_errors=True)
    found: dict[str, float] = json.loads(printed)
    return found | {"peak": float(peak)}


def environment(scratch: Path) -> dict[str, str]:
    """Return the variables of a contender: Spark gets both cores and enough memory, and no more."""
    (scratch / "spark").mkdir(exist_ok=True)
    (scratch / "spark" / "spark-defaults.conf").write_text(
        "spark.master local[2]\nspark.driver.memory 4g\nspark.ui.enabled false\n"
        "spark.driver.host 127.0.0.1\nspark.driver.bindAddress 127.0.0.1\n"
    )
    return {**os.environ, "SPARK_CONF_DIR": str(scratch / "spark"), "SPARK_LOCAL_IP": "127.0.0.1"}


def resident(pid: int) -> int:
    """Return the bytes of a process and all that it started; shared pages count twice."""
    try:
        process = psutil.Process(pid)
        everyone = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in everyone)
    except psutil.NoSuchProcess:
        return 0


@click.group(invoke_without_command=True)
@click.option(
    "--events", "sizes", multiple=True, default=(1_000_000, 50_000_000), show_default=True
)
@click.option("--rounds", default=3, show_default=True)
@click.option("--without-spark", is_flag=True)
@click.pass_context
def main(
    context: click.Context, sizes: tuple[int, ...], rounds: int, *, without_spark: bool
) -> None:
    """Measure and print a table."""
    if context.invoked_subcommand is not None:
        return
    cores = psutil.cpu_count()
    print(f"{platform.machine()}, {cores} cores, Polars {pl.__version__}", end=", ")
    print(f"{psutil.getloadavg()[1]:.1f} processes ready to run in the last five minutes")
    print(
        f"{'contender':<16} {'events':>11} {'events/s':>10} {'of plain':>9} {'CPU/event':>11} "
        f"{'of plain':>9} {'peak':>9}"
    )
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            directory, warm_up = Path(scratch, "all"), Path(scratch, "few")
            for each, events in ((directory, size), (warm_up, 10_000)):
                each.mkdir()
                prepare(each, events)
            chosen = ["plain Polars", "platform", "platform, lines"]
            if size == sizes[0] and not without_spark:
                chosen.append("Spark")
            report(directory, warm_up, chosen, rounds)


def report(directory: Path, warm_up: Path, chosen: list[str], rounds: int) -> None:
    """Measure contenders one after another, and print a line for each."""
    raw = lake_of(directory / "raw")
    events = sum(read_raw_object(raw, key).count(b"\n") for key in list_raw_objects(raw))
    found = [{name: measured(name, directory, warm_up) for name in chosen} for _ in range(rounds)]
    best = {
        name: {figure: min(each[name][figure] for each in found) for figure in found[0][name]}
        for name in chosen
    }
    plain = best[chosen[0]]
    for name, figures in best.items():
        print(
            f"{name:<16} {events:>11,} {events / figures['seconds']:>10,.0f} "
            f"{plain['seconds'] / figures['seconds']:>9.2f} "
            f"{figures['cpu'] / events * 1e6:>8.2f} µs {figures['cpu'] / plain['cpu']:>9.2f} "
            f"{figures['peak'] / (1 << 20):>5,.0f} MiB",
            flush=True,
        )


@main.command()
@click.argument("engine")
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("warm_up", type=click.Path(path_type=Path), required=False)
def run(engine: str, directory: Path, warm_up: Path | None) -> None:
    """Be a contender."""
    if warm_up is not None:
        clean(lake_of(warm_up), engine)
    lake = lake_of(directory)
    started, spent = time.perf_counter(), cpu_seconds()
    if engine == "plain":
        clean_plainly(lake)
    else:
        clean(lake, engine)
    seconds: dict[str, Any] = {
        "seconds": time.perf_counter() - started,
        "cpu": cpu_seconds() - spent,
    }
    click.echo(json.dumps(seconds))


if __name__ == "__main__":
    main()
