"""A full disk, a store that fails or hangs: 503 with Retry-After, and then as before."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedback_platform_tests.serving.running import Answer, dumped, stored_lines
from feedback_platform_tests.serving.segment import assert_refused, message
from feedback_platform_tests.serving.serving_process import (
    Senders,
    ServingProcess,
    serving_process,
)
from feedback_platform_tests.serving.troubled_store import TroubledStore, troubled_store


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """A file system of two megabytes; it takes the rights to mount one."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "feedback-test", str(directory)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.fail(f"A small file system is needed, and mounting one takes root: {mounted.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)  # noqa: S607


def fill(directory: Path) -> Path:
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(4096))
        except OSError:
            return filler


def waited(answer: Answer) -> None:
    """Check that an answer asks to come again, and wait for as long as it says."""
    assert_refused(answer, 503)
    time.sleep(int(answer.headers["retry-after"]))


def test_a_full_disk_turns_events_away_until_there_is_room(tmp_path: Path, free_port: int) -> None:
    disk = tmp_path / "disk"
    with (
        small_disk(disk),
        serving_process(
            tmp_path / "data", free_port, {"FEEDBACK_LAKE_URL": (disk / "lake").as_uri()}
        ) as serving,
    ):
        kept = [message(), message()]
        assert serving.client.post("/v1/track", kept[0]).status == 200
        filler = fill(disk)
        for _ in range(2):
            waited(serving.client.post("/v1/track", message()))
        filler.unlink()
        assert serving.client.post("/v1/track", kept[1]).status == 200
        assert [line["message"] for line in stored_lines(serving.settings)] == kept
        left = [path.name for path in (disk / "lake").rglob("*") if "#" in path.name]
        assert left == []
        assert "Events are turned away" in serving.log
        assert "Traceback" not in serving.log


@pytest.fixture
def on_troubled_s3(
    s3_endpoint: str, s3_lake_url: str, tmp_path: Path, free_port: int
) -> Iterator[tuple[ServingProcess, TroubledStore]]:
    """A server on S3, and what befalls its requests there."""
    with (
        troubled_store(s3_endpoint) as (store, address),
        serving_process(
            tmp_path / "data",
            free_port,
            {"FEEDBACK_LAKE_URL": s3_lake_url, "AWS_ENDPOINT_URL_S3": address},
        ) as serving,
    ):
        yield serving, store


def test_a_store_that_answers_503_is_passed_on_and_recovers(
    on_troubled_s3: tuple[ServingProcess, TroubledStore],
) -> None:
    serving, store = on_troubled_s3
    kept = [message(), message()]
    assert serving.client.post("/v1/track", kept[0]).status == 200
    store.refused = 1.0
    began = time.monotonic()
    waited(serving.client.post("/v1/track", message()))
    # Senders give up after ten seconds.
    assert time.monotonic() - began < 15
    store.refused = 0.0
    deadline = time.monotonic() + 30
    while (answer := serving.client.post("/v1/track", kept[1])).status != 200:
        assert time.monotonic() < deadline
        waited(answer)
    assert [line["message"] for line in stored_lines(serving.settings)] == kept


@pytest.mark.slow
def test_a_store_that_fails_now_and_then_loses_nothing(
    on_troubled_s3: tuple[ServingProcess, TroubledStore],
) -> None:
    serving, store = on_troubled_s3
    store.refused, store.lost = 0.1, 0.05
    with Senders(serving.port) as senders:
        time.sleep(6)
    store.refused = store.lost = 0.0
    stored = {
        line["message"]["messageId"]: line["message"] for line in stored_lines(serving.settings)
    }
    assert len(senders.acknowledged) > 20
    assert set(senders.statuses) <= {200, 503}
    assert {key: stored.get(key) for key in senders.acknowledged} == senders.acknowledged


@pytest.mark.slow
def test_a_flood_before_a_store_that_hangs_stays_within_bounds(
    on_troubled_s3: tuple[ServingProcess, TroubledStore],
) -> None:
    serving, store = on_troubled_s3
    before = resident_bytes(serving.pid)
    store.is_hanging = True
    batch = dumped({"batch": [message(properties={"text": "x" * 15_000}) for _ in range(30)]})
    answers: list[Answer] = []
    lock = threading.Lock()

    def flood() -> None:
        for _ in range(15):
            answer = serving.client.post("/v1/batch", batch)
            with lock:
                answers.append(answer)

    threads = [threading.Thread(target=flood) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 15 * 64
    for answer in answers:
        assert_refused(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
    sent = len(batch) * len(answers)
    assert sent > 400e6
    # What is held is bounded by 64 MB; on its way it is there as body, text and lines at once.
    assert peak_bytes(serving.pid) - before < 300e6
    assert serving.client.ask("GET", "/healthz").status == 200


def resident_bytes(pid: int) -> int:
    return _memory(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    return _memory(pid, "VmHWM")


def _memory(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(name)
