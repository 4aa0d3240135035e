"""Seconds from an object landing in the lake to its rows in the published tables.

    python benchmarks/latency.py [--seconds 90] [--settle 60] [--rate 1000] [--ways dagster warm]

Dagster's code server and daemon are started as `feedback-platform dev` starts them, without a page
for people, once with Dagster's own run launcher and once with that of this platform. An object a
second lands, with so many events; a reader looks at the published database whenever it is replaced.
Objects that landed before the first publication are left out, and those of a time in which the
platform settles: it is starting then, and trains its first models. The stages are those that
Dagster's own log of each run tells of. On a machine that has something else to do, only the
processor time of a run says much.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from socket import create_server
from threading import Event, Thread
from typing import Final

import dagster as dg
import numpy as np
import psutil
from machine import say_what_machine
from micro_batch import BEGINNING, land

from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.orchestration.jobs import PROCESS
from feedback_platform.settings import PROJECT_DIR, Settings, dagster_environment, load_settings
from feedback_platform.warehouse import published

WAYS: Final = ("dagster", "warm")
START_SECONDS: Final = 900.0
LOOK_SECONDS: Final = 0.02
STAGES: Final = (
    ("enqueued", "asked for"),
    ("dequeued", "waits in the queue"),
    ("process", "a process"),
    ("begun", "definitions"),
    ("cleaned", "cleaning"),
    ("transformed", "dbt"),
    ("publishing", "other steps"),
    ("ended", "publishing"),
)
_PUBLISHED: Final = """
    select distinct raw_object from interaction.interactions where received_at >= ?
"""


@dataclass
class Observed:
    """When each object landed and was seen in the published tables (Unix time), by its name."""

    landed: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """Print a table, a row for each way, and the stages of its runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--settle", type=float, default=60, help="seconds before those")
    parser.add_argument("--rate", type=int, default=1000, help="events a second")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    chosen = parser.parse_args()
    say_what_machine()
    print(f"{chosen.rate:,} events/s for {chosen.seconds:.0f} s")
    for way in chosen.ways:
        with tempfile.TemporaryDirectory() as name:
            settings = load_settings(Path(name), {"FEEDBACK_RUN_LAUNCHER": way})
            _measure(settings, chosen.seconds, chosen.settle, chosen.rate)


def _measure(settings: Settings, seconds: float, settle: float, rate: int) -> None:
    prepare_home(settings)
    observed, is_over = Observed(), Event()
    with _servers(settings) as servers:
        landing = Thread(target=_land, args=(settings, rate, observed, is_over))
        landing.start()
        try:
            _watch(settings, observed, START_SECONDS, enough=1)
            if not observed.seen:
                raise SystemExit(f"Nothing was published in {START_SECONDS:.0f} s.")
            _watch(settings, observed, settle)
            began, cpu = time.time(), _cpu(servers)
            _watch(settings, observed, seconds)
            until, cpu = time.time(), _cpu(servers) - cpu
        finally:
            is_over.set()
            landing.join()
        _watch(settings, observed, START_SECONDS, enough=len(observed.landed))
    waited = sorted(
        observed.seen.get(name, float("inf")) - at
        for name, at in observed.landed.items()
        if began <= at <= until
    )
    runs = [run for run in _runs(settings) if began <= run["ended"] <= until]
    print(
        f"\n{settings.run_launcher}: {len(waited)} objects, p50 {_share(waited, 0.5):.1f} s, "
        f"p95 {_share(waited, 0.95):.1f} s, max {waited[-1]:.1f} s; {len(runs)} runs, "
        f"{cpu / max(1, len(runs)):.1f} s of processor time for each"
    )
    gaps = [later["enqueued"] - run["ended"] for run, later in pairwise(runs)]
    if gaps:
        print(f"  {'between two runs':<20}{statistics.mean(gaps):>8.2f} s")
    for (before, _), (stage, title) in pairwise(STAGES if runs else ()):
        took = statistics.mean(run[stage] - run[before] for run in runs)
        print(f"  {title:<20}{took:>8.2f} s")


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _land(settings: Settings, rate: int, observed: Observed, is_over: Event) -> None:
    """Land an object a second."""
    lake, chance = Lake(settings.lake_url), np.random.default_rng(7)
    number, due = 0, time.monotonic()
    while not is_over.wait(max(0.0, due - time.monotonic())):
        number, due = number + 1, due + 1
        name = f"{number:08d}"
        begins = int((datetime.now(UTC) - BEGINNING).total_seconds())
        land(lake, chance, begins, 1, rate, name)
        observed.landed[name] = time.time()


def _watch(settings: Settings, observed: Observed, seconds: float, enough: int = 0) -> None:
    """Note what is published, for so long, or until so many objects are."""
    since, before = datetime.now(UTC) - timedelta(hours=1), None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not 0 < enough <= len(observed.seen):
        with suppress(FileNotFoundError):
            now = settings.published_path.stat().st_ino
            if now != before:
                at, before = time.time(), now
                found = published.query(settings.published_path, _PUBLISHED, [since])
                for key in found["raw_object"]:
                    name = Path(key).name.partition(".")[0].rpartition("-")[2]
                    observed.seen.setdefault(name, at)
        time.sleep(LOOK_SECONDS)


@contextmanager
def _servers(settings: Settings) -> Iterator[list[psutil.Process]]:
    """Run code server and daemon; yield their processes."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    workspace = settings.data_dir / "workspace.yaml"
    server = {"host": "127.0.0.1", "port": port, "location_name": "feedback_platform"}
    # JSON is YAML.
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
    environment = {**dagster_environment(settings), "PYTHONPATH": str(PROJECT_DIR)}
    code = ["code-server", "start", "--host", "127.0.0.1", "--port", str(port)]
    code += ["--module-name", "feedback_platform.definitions", "--attribute", "defs"]
    commands = [
        [sys.executable, "-m", "dagster", *code, "--location-name", "feedback_platform"],
        [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)],
    ]
    log = (settings.data_dir / "servers.log").open("wb")
    started = [
        subprocess.Popen(  # noqa: S603 - our own
            command, cwd=settings.data_dir, env=environment, stdout=log, stderr=log
        )
        for command in commands
    ]
    try:
        yield [psutil.Process(each.pid) for each in started]
    finally:
        below = psutil.Process().children(recursive=True)
        for each in reversed(started):
            each.terminate()
        for each in reversed(started):
            each.wait(120)
        # A code server leaves its runs, which would take time from the next way.
        for process in below:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        log.close()


def _cpu(servers: list[psutil.Process]) -> float:
    """Return the processor time (s) of the servers and of all that they have started."""
    total = 0.0
    for server in servers:
        for process in [server, *server.children(recursive=True)]:
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
    return total


def _runs(settings: Settings) -> list[dict[str, float]]:
    """Return when each run that succeeded came to each stage, as Dagster's log of it says."""
    found = []
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        filters = dg.RunsFilter(job_name=PROCESS, statuses=[dg.DagsterRunStatus.SUCCESS])
        for run in instance.get_runs(filters=filters):
            at: dict[str, float] = {}
            for entry in instance.all_logs(run.run_id):
                event = entry.dagster_event
                if event is None:
                    continue
                stage = _stage(event.event_type_value, event.step_key, event.message or "")
                if stage is not None:
                    at.setdefault(stage, entry.timestamp)
            if all(stage in at for stage, _ in STAGES):
                found.append(at)
    return sorted(found, key=lambda run: run["enqueued"])


def _stage(kind: str, step: str | None, message: str) -> str | None:
    if kind == "ENGINE_EVENT" and message.startswith("Started process for run"):
        return "process"
    return {
        ("PIPELINE_ENQUEUED", None): "enqueued",
        ("PIPELINE_STARTING", None): "dequeued",
        ("PIPELINE_START", None): "begun",
        ("STEP_SUCCESS", "clean_events"): "cleaned",
        ("STEP_SUCCESS", "dbt_models"): "transformed",
        ("STEP_START", "published__feedback"): "publishing",
        ("PIPELINE_SUCCESS", None): "ended",
    }.get((kind, step))


if __name__ == "__main__":
    main()
