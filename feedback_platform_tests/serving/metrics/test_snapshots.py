"""Several processes at one socket: whichever is asked, it knows the numbers of all."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from feedback_platform.ingestion.collector.distribution import Distribution
from feedback_platform.serving.metrics.exposition import exposition
from feedback_platform.serving.metrics.metric import Merge, Metric, counter, gauge, histogram
from feedback_platform.serving.metrics.snapshots import Snapshots
from feedback_platform_tests.serving.metrics.samples import samples_of


class Process:
    """A process with one number of each kind."""

    def __init__(self, directory: Path, place: int) -> None:
        self.requests = 0
        self.open = 0
        self.position: int | None = None
        self.memory = 0
        self.seconds = Distribution((1.0, 2.0))
        self.snapshots = Snapshots(
            [
                Metric("x_requests", "…", lambda: {("a",): self.requests}, ("endpoint",)),
                counter("x_events", "…", lambda: self.requests),
                gauge("x_open", "…", lambda: self.open),
                gauge("x_position", "…", lambda: self.position, Merge.LEAST),
                gauge("x_memory", "…", lambda: self.memory, Merge.EACH),
                histogram("x_seconds", "…", self.seconds),
            ],
            directory,
            place,
        )

    def scrape(self, name: str, **labels: str) -> float | None:
        text = exposition(self.snapshots.metrics, self.snapshots.all())
        return samples_of(text).get((name, frozenset(labels.items())))


@pytest.fixture
def processes(tmp_path: Path) -> tuple[Process, Process]:
    return Process(tmp_path, 0), Process(tmp_path, 1)


def test_what_grows_is_summed_up(processes: tuple[Process, Process]) -> None:
    one, other = processes
    one.requests, other.requests = 3, 4
    for seconds in (0.5, 1.5, 9):
        one.seconds.note(seconds)
    other.seconds.note(1.5)
    other.snapshots.write()
    assert one.scrape("x_requests_total", endpoint="a") == 7
    assert one.scrape("x_events_total") == 7
    assert one.scrape("x_seconds_bucket", le="1.0") == 1
    assert one.scrape("x_seconds_bucket", le="2.0") == 3
    assert one.scrape("x_seconds_bucket", le="+Inf") == 4
    assert one.scrape("x_seconds_count") == 4
    assert one.scrape("x_seconds_sum") == 12.5


def test_each_gauge_is_merged_as_makes_sense_for_it(processes: tuple[Process, Process]) -> None:
    one, other = processes
    one.open, one.position, one.memory = 2, 9, 100
    other.open, other.position, other.memory = 3, 7, 200
    other.snapshots.write()
    assert one.scrape("x_open") == 5
    assert one.scrape("x_position") == 7
    assert one.scrape("x_memory", worker="0") == 100
    assert one.scrape("x_memory", worker="1") == 200


def test_what_is_not_known_yet_is_left_out(processes: tuple[Process, Process]) -> None:
    one, other = processes
    assert one.scrape("x_position") is None
    other.position = 5
    other.snapshots.write()
    assert one.scrape("x_position") == 5


def test_the_sum_never_falls_whoever_is_asked(processes: tuple[Process, Process]) -> None:
    one, other = processes
    sums = []
    for turn in range(20):
        one.requests += 1
        other.requests += 2
        sums.append((one, other)[turn % 2].scrape("x_events_total") or 0)
    assert sums == sorted(sums)


def test_who_takes_the_place_of_a_dead_process_goes_on_with_what_that_had_counted(
    processes: tuple[Process, Process], tmp_path: Path
) -> None:
    one, dead = processes
    dead.requests, dead.open = 5, 5
    dead.seconds.note(0.5)
    dead.snapshots.write()
    successor = Process(tmp_path, 1)
    successor.requests = 2
    assert successor.scrape("x_events_total") == 7
    assert successor.scrape("x_open") == 0
    assert one.scrape("x_events_total") == 7
    assert one.scrape("x_seconds_count") == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_of_a_process_that_is_no_more_only_counts_remain(
    processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, dead = processes
    dead.requests, dead.open, dead.memory = 5, 5, 5
    dead.snapshots.write()
    a_minute_later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: a_minute_later)
    assert one.scrape("x_events_total") == 5
    assert one.scrape("x_open") == 0
    assert one.scrape("x_memory", worker="1") is None


def test_a_disk_that_takes_nothing_is_told_of_once_and_ends_nothing(
    tmp_path: Path, processes: tuple[Process, Process], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = processes
    one.requests = other.requests = 1
    one.snapshots.write()
    for part in (tmp_path / "1.part", tmp_path / "1.json"):
        part.mkdir()
    with caplog.at_level(logging.WARNING):
        other.snapshots.write()
        other.snapshots.write()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
