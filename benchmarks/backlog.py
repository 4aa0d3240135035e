"""A burst: how fast it drains, in how much memory, and how long a schedule waits meanwhile.

    python benchmarks/backlog.py [--events 1000000] [--objects 1000] [--only-cleaning]

The real `feedback-platform dev` runs on an empty directory. Once it has published a first few
events, a burst lands at once, in so many raw objects. The sensor asks for one bounded run after
another; what readers see is asked every half second. As soon as a run works on the
burst, the job `quality`, which a schedule starts every hour, is asked for, and waits for the pool
`warehouse` as the micro-batches do. The peer is the bare engine: Polars reads the same lines, drops
duplicates, parses the times and writes Parquet, in a process of its own.

With `--only-cleaning` nothing is started: the same burst is cleaned in a process of its own, and
the peak of its memory is printed beside the peer's. Few large objects take more than many small.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import click
import dagster as dg
import numpy as np
import polars as pl
import psutil
from machine import say_what_machine

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.micro_batch import BATCH_BYTES, PORTION
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import list_raw_objects, read_raw_object, write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.jobs import PROCESS, QUALITY
from feedback_platform_tests.services.dev_platform import Platform

_FIRST: Final = 1_000
_LOOK_SECONDS: Final = 0.5
_TYPES: Final = ("item_viewed", "item_clicked", "item_used", "item_impression")
_LAUNCH: Final = """
    mutation ($job: String!) {
      launchRun(executionParams: {
        selector: {
          repositoryLocationName: "feedback_platform", repositoryName: "__repository__",
          jobName: $job
        },
        runConfigData: {}
      }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
    }
"""


def land(lake: Lake, events: int, objects: int, name: str) -> None:
    """Write raw objects that are received now."""
    now = datetime.now(UTC)
    for number, size in enumerate(_parts(events, objects)):
        chance = np.random.default_rng(number)
        user, item = chance.integers(0, events // 50 + 10, size), chance.integers(0, 5_000, size)
        lines = pl.DataFrame({"user": user, "item": item, "kind": chance.choice(_TYPES, size)})
        lines = lines.with_row_index("row").select(
            pl.format(f"{name}-{number}-{{}}", "row").alias("event_id"),
            pl.col("kind").alias("event_type"),
            pl.format("u{}", "user").alias("user_id"),
            pl.format("i{}", "item").alias("item_id"),
            pl.format(f"{{}}-{number // 10}", "user").alias("session_id"),
            pl.lit(f"{now:%Y-%m-%dT%H:%M:%S.%fZ}").alias("occurred_at"),
            pl.lit(f"{now:%Y-%m-%dT%H:%M:%S.%fZ}").alias("received_at"),
            pl.lit("home").alias("placement"),
            pl.lit("desktop").alias("device_type"),
            pl.when(pl.col("kind") == "item_viewed").then(9_000.0).alias("value"),
        )
        buffer = io.BytesIO()
        lines.write_ndjson(buffer)
        write_raw_object(
            lake,
            received_at=now,
            source=name,
            sortable_id=f"{number:08d}",
            ndjson=buffer.getvalue(),
        )


def _parts(events: int, objects: int) -> list[int]:
    return [events // objects + (number < events % objects) for number in range(objects)]


def visible(platform: Platform) -> int:
    """Return how many interactions readers see."""
    with suppress(FileNotFoundError):
        if platform.installation.settings.published_path.exists():
            found = platform.installation.query(
                "select count(*) as n from interaction.interactions"
            )
            return int(found["n"].item())
    return 0


def ask_for(platform: Platform, job: str) -> str:
    """Have the web server queue a run of a job; return its id."""
    body = json.dumps({"query": _LAUNCH, "variables": {"job": job}}).encode()
    request = Request(
        f"http://127.0.0.1:{platform.port}/graphql",
        body,
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=120) as response:  # noqa: S310 - our own server
        answer = json.load(response)["data"]["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise click.ClickException(f"{job} was not queued: {answer}")
    return str(answer["run"]["runId"])


class Memory:
    """The peak of the largest process, and of all together; shared pages count in each."""

    def __init__(self) -> None:
        self.largest = self.together = 0

    def look(self, processes: list[psutil.Process]) -> None:
        """Take the present sizes into account."""
        sizes = []
        for each in processes:
            with suppress(psutil.Error):
                sizes.append(each.memory_info().rss)
        self.largest = max([self.largest, *sizes])
        self.together = max(self.together, sum(sizes))


def drain(platform: Platform, events: int, objects: int) -> dict[str, Any]:
    """Let a burst land, and follow it until readers see all of it."""
    lake = platform.installation.lake
    land(lake, _FIRST, 1, "first")
    _await(platform, _FIRST, None, Memory())
    land(lake, events, objects, "burst")
    began, memory = time.perf_counter(), Memory()
    steps = _await(platform, _FIRST + events, QUALITY, memory)
    return {"seconds": time.perf_counter() - began, "steps": steps, "memory": memory}


def _await(
    platform: Platform, rows: int, meanwhile: str | None, memory: Memory
) -> list[tuple[float, int]]:
    began, seen = time.perf_counter(), visible(platform)
    first, steps = seen, []
    while seen < rows:
        memory.look(platform.processes())
        time.sleep(_LOOK_SECONDS)
        now = visible(platform)
        if now != seen:
            steps.append((time.perf_counter() - began, now - first))
            seen = now
        if meanwhile is not None and is_working(platform):
            ask_for(platform, meanwhile)
            meanwhile = None
    return steps


def is_working(platform: Platform) -> bool:
    """Return whether a micro-batch is under way."""
    working = dg.RunsFilter(job_name=PROCESS, statuses=[dg.DagsterRunStatus.STARTED])
    with _instance(platform) as instance:
        return instance.get_runs_count(working) > 0


def waits(instance: dg.DagsterInstance) -> list[tuple[float, float]]:
    """Return of each run of `quality` the seconds until it had a process, and until it did work."""
    found = []
    for record in instance.get_run_records(dg.RunsFilter(job_name=QUALITY)):
        run_id, asked = record.dagster_run.run_id, record.create_timestamp.timestamp()
        steps = instance.all_logs(run_id, of_type={dg.DagsterEventType.STEP_START})
        if record.start_time is not None and steps:
            first = min(each.timestamp for each in steps)
            found.append((record.start_time - asked, first - asked))
    return found


def bare(directory: Path) -> None:
    """Be the peer: print events and seconds."""
    lake = Lake(directory.as_uri())
    began, rows, held = time.perf_counter(), 0, bytearray()
    keys = [key for key in list_raw_objects(lake) if "/burst-" in key]
    for number, key in enumerate(keys):
        held += read_raw_object(lake, key)
        if len(held) < BATCH_BYTES and key != keys[-1]:
            continue
        times = pl.col("occurred_at", "received_at")
        frame = (
            pl.read_ndjson(bytes(held))
            .unique("event_id", keep="first")
            .with_columns(times.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ"))
        )
        frame.write_parquet(directory / f"bare-{number}.parquet", compression="zstd")
        rows += frame.height
        held.clear()
    click.echo(json.dumps({"rows": rows, "seconds": time.perf_counter() - began, "peak": peak()}))


def clean(directory: Path) -> None:
    """Clean what is in a lake as a run does: print events, seconds and the peak of memory."""
    began = time.perf_counter()
    outcome = clean_new(Lake(directory.as_uri()), default_rules(), is_sweep=False)
    found = {"rows": outcome.rows, "seconds": time.perf_counter() - began, "peak": peak()}
    click.echo(json.dumps(found))


def peak() -> int:
    """Return the most MiB that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def report_cleaning(events: int, objects: int) -> None:
    """Print what cleaning a burst takes, without Dagster, tables and readers."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "lake"
        land(Lake(directory.as_uri()), events, objects, "burst")
        for title, step in (("platform", "clean"), ("bare engine", "bare")):
            command = [sys.executable, __file__, f"--{step}", str(directory)]
            found = json.loads(subprocess.check_output(command))  # noqa: S603 - this file
            print(
                f"{title:<12} {found['rows']:>10,} events from {objects:,} objects: peak memory "
                f"{found['peak']:,} MiB, {found['rows'] / found['seconds']:,.0f} events/s",
                flush=True,
            )


@click.command()
@click.option("--events", default=1_000_000, show_default=True)
@click.option("--objects", default=1_000, show_default=True)
@click.option("--only-cleaning", is_flag=True)
@click.option("--bare", "bare_of", type=click.Path(path_type=Path), hidden=True)
@click.option("--clean", "clean_of", type=click.Path(path_type=Path), hidden=True)
def main(
    events: int, objects: int, bare_of: Path | None, clean_of: Path | None, *, only_cleaning: bool
) -> None:
    """Print what a burst costs."""
    if bare_of is not None:
        bare(bare_of)
        return
    if clean_of is not None:
        clean(clean_of)
        return
    say_what_machine()
    if only_cleaning:
        report_cleaning(events, objects)
        return
    with tempfile.TemporaryDirectory() as name:
        platform = Platform(Path(name))
        platform.start()
        try:
            found = drain(platform, events, objects)
            _await_quality(platform)
        finally:
            platform.stop()
        report(platform, events, found)
        lake = platform.installation.settings.data_dir / "lake"
        command = [sys.executable, __file__, "--bare", str(lake)]
        peer = json.loads(subprocess.check_output(command))  # noqa: S603 - this file
        print(f"bare engine: {peer['rows'] / peer['seconds']:,.0f} events/s")


def _await_quality(platform: Platform) -> None:
    """Let the job that was asked for do its first step, where it has not yet."""
    deadline = time.monotonic() + 300
    with _instance(platform) as instance:
        while time.monotonic() < deadline:
            asked = instance.get_runs_count(dg.RunsFilter(job_name=QUALITY))
            if len(waits(instance)) == asked:
                return
            time.sleep(1)


def _instance(platform: Platform) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(platform.installation.settings.dagster_home))


def report(platform: Platform, events: int, found: dict[str, Any]) -> None:
    """Print what the burst came to."""
    memory: Memory = found["memory"]
    with _instance(platform) as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name=PROCESS))
        waited = waits(instance)
    batches = manifests_after(platform.installation.lake, 0)
    print(
        f"{events:,} events in {found['seconds']:.1f} s: {events / found['seconds']:,.0f} events/s "
        f"from landed to published; a portion is {PORTION.size >> 20} MiB or {PORTION.objects:,} "
        "objects"
    )
    for after, rows in found["steps"]:
        print(f"  after {after:6.1f} s readers see {rows:>12,} of them")
    print(
        f"{len(runs)} runs made {len(batches)} batches; peak memory {memory.largest >> 20:,} MiB "
        f"in one process, {memory.together >> 20:,} MiB in all"
    )
    for started, worked in waited:
        print(
            f"quality, asked for meanwhile: a process after {started:.1f} s, "
            f"work after {worked:.1f} s"
        )


if __name__ == "__main__":
    main()
