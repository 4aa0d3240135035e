"""`feedback-platform dev` with all that it starts, processes of which are killed at random.

    python -m feedback_platform_tests.services.killed_platform [--seconds 600] [--seed 1]

Whatever belongs to it is known by a variable of its environment, which every process inherits,
whoever its parent is by now. What is killed, and when, follows from the seed and from which
processes there are.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import click
import polars as pl
import psutil

from feedback_platform.lake import keys
from feedback_platform.lake.batches import latest_manifest, pending_objects
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.warehouse.published import published_through
from feedback_platform_tests.installation import Installation, differences
from feedback_platform_tests.services.processes import answers, free_port

_MARK: Final = "FEEDBACK_TEST_PLATFORM"
_TURNS_TO_A_MISTAKE: Final = 10
# However busy the machine.
START_SECONDS: Final = 900.0
STOP_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 1800.0
# What depends on when something was looked at, or on what a model was made of by then.
_BY_THE_CLOCK: Final = (
    "metrics.layer_freshness",
    "metrics.drift_events",
    "metrics.feature_drift",
    "metrics.alerts",
    "metrics.adjustments",
    "metrics.loop_health_daily",
    "metrics.signal_quality",
    "metrics.signal_weights",
    "ml.",
)
_CUT_INTO_BATCHES: Final = ("batch_sequence", "as_of")


class Platform:
    """The platform of a data directory, started again and again."""

    def __init__(self, directory: Path) -> None:
        self.installation = Installation(directory / "data")
        self.api_port, self.port = free_port(), free_port()
        self._dashboard_port = free_port()
        self._mark = uuid4().hex
        self._log = directory / "dev.log"
        self._dev: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def log(self) -> str:
        """What it printed, of all its lives."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, again where what is left of the one before still has its data or its ports."""
        deadline = time.monotonic() + START_SECONDS
        command = [sys.executable, "-m", "feedback_platform", "dev", "--no-demo-data"]
        command += ["--data-dir", str(self.installation.settings.data_dir)]
        command += ["--port", str(self.port), "--api-port", str(self.api_port)]
        command += ["--dashboard-port", str(self._dashboard_port)]
        while True:
            with self._log.open("ab") as log:
                self._dev = subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, _MARK: self._mark}
                )
            self.starts += 1
            while self._dev.poll() is None:
                if self.answers():
                    return
                assert time.monotonic() < deadline, self.log
                time.sleep(0.2)
            # The ports, or the lock on its data, of those that stop in order after a kill.
            assert time.monotonic() < deadline, self.log
            time.sleep(1)

    def start_where_it_ended(self) -> None:
        if self._dev is None or self._dev.poll() is not None:
            self.start()

    def answers(self) -> bool:
        return all(
            answers(f"http://127.0.0.1:{port}{path}")
            for port, path in (
                (self.api_port, "/healthz"),
                (self.port, "/server_info"),
                (self._dashboard_port, "/_stcore/health"),
            )
        )

    def processes(self) -> list[psutil.Process]:
        """All that lives of it, the oldest first; whatever its place in the tree."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_MARK) == self._mark:
                    found.append((process.create_time(), process.pid, process))
        return [process for _, _, process in sorted(found, key=lambda each: each[:2])]

    def kill_one(self, chance: random.Random) -> str:
        """Kill a process without a word; return what it was."""
        living = self.processes()
        if not living:
            return "nobody was there"
        victim = chance.choice(living)
        command = ""
        with suppress(psutil.Error):
            command = " ".join(victim.cmdline()[1:])
            victim.kill()
        return f"{victim.pid} {command[:90]}"

    def stop(self) -> list[str]:
        """End it in order; return what is left of it then, which is killed."""
        if self._dev is not None and self._dev.poll() is None:
            self._dev.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._dev.wait(STOP_SECONDS)
        deadline = time.monotonic() + STOP_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        said = []
        for process in left:
            with suppress(psutil.Error):
                said.append(" ".join(process.cmdline()))
                process.kill()
        return said


class SteadyClient:
    """Sends batches at a rate, as Segment's libraries do: until they are answered.

    A batch that gets no answer, or one that says to try again, is sent again with the same ids.

    Attributes:
        acknowledged: ids of the messages that were taken.
        refused: ids of those that were refused for good.
        out_of_range: ids of those that are put into quarantine where they are taken.
    """

    def __init__(self, port: int, chance: random.Random, *, batches_a_second: float) -> None:
        self.port, self._chance = port, chance
        self._pause = 1 / batches_a_second
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.out_of_range: set[str] = set()
        self.again = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the last batch has its answer."""
        self._stopping.set()
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive(), "the last batch was not answered"

    def _send(self) -> None:
        turn = 0
        while not self._stopping.is_set():
            turn += 1
            self._deliver([self._message(turn, each) for each in range(5)])
            if turn % _TURNS_TO_A_MISTAKE == 0:
                # Of nobody. By itself it is refused, and sent no second time.
                nobody = self._message(turn, 5)
                del nobody["userId"]
                self._deliver([nobody])
            self._stopping.wait(self._pause)

    def _deliver(self, batch: list[dict[str, Any]]) -> None:
        ids = [message["messageId"] for message in batch]
        self.sent += ids
        while True:
            status = self._answer(batch)
            if status == 200:
                self.acknowledged += ids
                return
            if status in {400, 413}:
                self.refused += ids
                return
            self.again += 1
            time.sleep(0.1)

    def _answer(self, batch: list[dict[str, Any]]) -> int | None:
        path = "/v1/track" if len(batch) == 1 else "/v1/batch"
        body = json.dumps(batch[0] if len(batch) == 1 else {"batch": batch})
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("POST", path, body)
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def _message(self, turn: int, place: int) -> dict[str, Any]:
        user = self._chance.randrange(40)
        message: dict[str, Any] = {
            "type": "track",
            "messageId": f"{self._chance.getrandbits(128):032x}",
            "userId": f"user-{user}",
            "timestamp": f"2026-05-05T{user % 24:02}:{turn % 60:02}:{place:02}Z",
            "event": self._chance.choice(["Product Viewed", "Product Clicked", "item_rated"]),
            "properties": {"product_id": f"item-{self._chance.randrange(30)}"},
        }
        if message["event"] == "item_rated":
            # Beyond the scale: taken, and put into quarantine.
            value = self._chance.choice([1, 4.5, 5, 50])
            message["properties"]["value"] = value
            if value > 5:
                self.out_of_range.add(message["messageId"])
        return message


class Chaos:
    """Load and kills for some seconds, then quiet until all that was taken can be read."""

    def __init__(self, directory: Path, seed: int, tell: Callable[[str], None]) -> None:
        self._directory, self._tell = directory, tell
        self._chance = random.Random(seed)
        self.platform = Platform(directory)
        self.client = SteadyClient(
            self.platform.api_port, random.Random(seed + 1), batches_a_second=2
        )
        self.kills: Counter[str] = Counter()

    @property
    def installation(self) -> Installation:
        return self.platform.installation

    def run(self, seconds: float) -> None:
        """Kill somebody every few seconds; start `dev` again where it was hit."""
        self.platform.start()
        with self.client:
            began = time.monotonic()
            # On a busy machine most of the time goes into starts.
            while time.monotonic() < began + seconds or self.kills.total() < seconds / 10:
                time.sleep(self._chance.uniform(1, 6))
                victim = self.platform.kill_one(self._chance)
                self._tell(f"{time.monotonic() - began:6.1f} s  killed {victim}")
                self.kills[victim.partition(" ")[2][:60]] += 1
                # What the parent of all leaves behind is given a moment, too.
                time.sleep(self._chance.uniform(0, 2))
                self.platform.start_where_it_ended()
            self._tell(f"killed {self.kills.total()}; waiting until all is drained")
            # It may have given one of its servers up.
            self.platform.start_where_it_ended()
        self._drain()

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while not self._is_drained():
            assert time.monotonic() < deadline, self.platform.log
            self.platform.start_where_it_ended()
            time.sleep(1)

    def _is_drained(self) -> bool:
        """Whether every raw object is clean, and every batch published."""
        lake = self.installation.lake
        latest = latest_manifest(lake)
        through = published_through(self.installation.settings.published_path)
        return latest is not None and latest.sequence == through and not pending_objects(lake)

    def undisturbed(self) -> Installation:
        """What becomes of the same raw objects and statistics where nobody is killed."""
        other = Installation(self._directory / "undisturbed")
        kept = ("raw", "reference", "models", keys.IDENTITY)
        source, target = (each.settings.data_dir / "lake" for each in (self.installation, other))
        for name in kept:
            if (source / name).is_dir():
                shutil.copytree(source / name, target / name)
            elif (source / name).exists():
                shutil.copy(source / name, target / name)
        other.process()
        return other

    def comparable(self, installation: Installation) -> dict[str, pl.DataFrame]:
        """The tables in which nothing may depend on how the batches were cut, or on the clock."""
        return {
            name: rows.drop(column for column in _CUT_INTO_BATCHES if column in rows.columns).sort(
                pl.all(), nulls_last=True
            )
            for name, rows in installation.tables().items()
            if not name.startswith(_BY_THE_CLOCK)
        }


@contextmanager
def chaos(directory: Path, seed: int, tell: Callable[[str], None]) -> Iterator[Chaos]:
    """End whatever lives, however it went."""
    disturbed = Chaos(directory, seed, tell)
    try:
        yield disturbed
    finally:
        disturbed.platform.stop()


def survive(directory: Path, *, seconds: float, seed: int) -> None:
    """Kill, drain, and compare with what would have come of it without.

    Raises:
        AssertionError: something was lost, was counted twice, is stuck or lives on.
    """
    click.echo(f"seed {seed}, {seconds:.0f} s")
    with chaos(directory, seed, click.echo) as disturbed:
        disturbed.run(seconds)
        left = disturbed.platform.stop()
        client, installation = disturbed.client, disturbed.installation
        click.echo(
            f"{len(client.sent)} sent = {len(client.acknowledged)} accepted + "
            f"{len(client.refused)} refused; {client.again} batches sent again; "
            f"{disturbed.kills.total()} kills, {disturbed.platform.starts} starts of dev, "
            f"{len(list_raw_objects(installation.lake))} raw objects"
        )
        assert left == [], "processes that outlive dev"
        assert Counter(client.sent) == Counter(client.acknowledged) + Counter(client.refused)
        assert len(client.refused) > 0
        # Segments and models came after the days that they tell of; the other knows them at once.
        installation.process()
        undisturbed = disturbed.undisturbed()
        kept = installation.query("select event_id from interaction.interactions")["event_id"]
        assert kept.n_unique() == len(kept)
        assert set(kept) == set(client.acknowledged) - client.out_of_range
        ours, theirs = disturbed.comparable(installation), disturbed.comparable(undisturbed)
        assert differences(ours, theirs) == []
        rows = {name: table.height for name, table in ours.items() if table.height}
        click.echo(f"the same, row for row: {rows}")


@click.command(epilog="Example: python -m …killed_platform --seconds 600 --seed 7")
@click.option("--seconds", default=600.0, show_default=True, help="How long processes are killed.")
@click.option("--seed", type=int, help="Repeats the kills of another run.")
def main(seconds: float, seed: int | None) -> None:
    """Kill processes of a platform under load, and compare it with one that was left alone."""
    chosen = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    with tempfile.TemporaryDirectory() as directory:
        survive(Path(directory), seconds=seconds, seed=chosen)


if __name__ == "__main__":
    main()
