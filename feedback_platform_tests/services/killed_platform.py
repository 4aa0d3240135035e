"""`feedback-platform dev`, processes of which are killed at random under load.

    python -m feedback_platform_tests.services.killed_platform [--seconds 600] [--seed 1]

What is killed, and when, follows from the seed and from which processes there are. By chance alone
hardly a run would live for long enough to be hit while it works: every third time one is awaited.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.batches import latest_manifest, pending_objects
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.warehouse.published import published_through
from feedback_platform_tests.installation import Installation, differences
from feedback_platform_tests.services.dev_platform import Platform
from feedback_platform_tests.services.steady_client import SteadyClient

_TURNS_TO_A_RUN: Final = 3
# However busy the machine.
RUN_SECONDS: Final = 300.0
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


class Chaos:
    """Load and kills for some seconds, then quiet until all that was taken can be read."""

    def __init__(self, directory: Path, seed: int, tell: Callable[[str], None]) -> None:
        self._directory, self._tell = directory, tell
        self._chance = random.Random(seed)
        self.platform = Platform(directory)
        self.client = SteadyClient(
            self.platform.api_port, random.Random(seed + 1), batches_a_second=2
        )
        self.kills = self.kills_of_runs = 0

    @property
    def installation(self) -> Installation:
        return self.platform.installation

    def run(self, seconds: float) -> None:
        """Kill somebody every few seconds; start `dev` again where it was hit."""
        self.platform.start()
        with self.client:
            began = time.monotonic()
            # On a busy machine most of the time goes into starts.
            while time.monotonic() < began + seconds or not self.kills_of_runs:
                victim = self._kill()
                self._tell(f"{time.monotonic() - began:6.1f} s  killed {victim}")
                # What the parent of all leaves behind is given a moment, too.
                time.sleep(self._chance.uniform(0, 2))
                self.platform.start_where_it_ended()
            self._tell(f"killed {self.kills}; waiting until all is drained")
            # It may have given one of its servers up.
            self.platform.start_where_it_ended()
        self._drain()

    def _kill(self) -> str:
        self.kills += 1
        pause = self._chance.uniform(1, 6)
        if self.kills % _TURNS_TO_A_RUN:
            time.sleep(pause)
            return self.platform.kill_one(self._chance)
        self.kills_of_runs += 1
        return self.platform.kill_run(pause, RUN_SECONDS)

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
            f"{disturbed.kills} kills, {disturbed.kills_of_runs} of them of runs; "
            f"{disturbed.platform.starts} starts of dev, "
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
