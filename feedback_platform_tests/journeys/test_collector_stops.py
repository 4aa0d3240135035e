"""Stopping in order, under load: nobody who was heard goes without an answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from feedback_platform_tests.serving.running import stored_lines
from feedback_platform_tests.serving.segment import message
from feedback_platform_tests.serving.serving_process import Senders, serving_process
from feedback_platform_tests.serving.troubled_store import troubled_store
from feedback_platform_tests.waiting import until


@pytest.mark.parametrize(
    ("workers", "stop"), [(1, signal.SIGTERM), (1, signal.SIGINT), (2, signal.SIGTERM)]
)
def test_a_server_told_to_stop_answers_and_stores_everything(
    tmp_path: Path, free_port: int, workers: int, stop: signal.Signals
) -> None:
    with serving_process(tmp_path / "data", free_port, workers=workers) as serving:
        with Senders(free_port, threads=6) as senders:
            time.sleep(0.7)
            assert serving.signal(stop) == 0
        assert senders.unanswered == []
        assert set(senders.statuses) == {200}
        stored = {line["message"]["messageId"] for line in stored_lines(serving.settings)}
        # Every request was answered, so what is stored is what was acknowledged.
        assert stored == senders.acknowledged.keys()
        assert len(stored) > 50
        assert "Traceback" not in serving.log


def members(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, of_session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(of_session) == session and state != "Z":
                found.append(int(stat.parent.name))
    return found


def ends_when_told_so(after: float, data_dir: Path, port: int, workers: int) -> None:
    """Start a server, tell it to stop so long after it said where it listens, and see it end."""
    command = [sys.executable, "-m", "feedback_platform", "serve", "--data-dir", str(data_dir)]
    command += ["--port", str(port), "--workers", str(workers)]
    # As in the background of a script, or below a program that hears no such signal.
    command = ["sh", "-c", 'trap \'\' INT TERM; exec "$0" "$@"', *command]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("API ")
        time.sleep(after)
        serving.terminate()
        try:
            _, errors = serving.communicate(timeout=60)
        finally:
            # What has not ended would be waited for.
            serving.kill()
        assert (serving.returncode, errors) == (0, "")
        until(lambda: not members(serving.pid))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_told_to_stop_as_soon_as_it_has_begun_ends(
    tmp_path: Path, free_port: int, workers: int
) -> None:
    ends_when_told_so(0, tmp_path / "data", free_port, workers)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
# Closely while the workers start, which takes a second or two, and then now and again.
@pytest.mark.parametrize("after", [*(0.25 * step for step in range(1, 9)), 3.0, 4.5])
def test_a_server_told_to_stop_while_it_starts_ends(
    tmp_path: Path, free_port: int, after: float, workers: int
) -> None:
    ends_when_told_so(after, tmp_path / "data", free_port, workers)


def test_a_server_that_drains_says_so_and_goes_on_until_it_is_urgent(
    tmp_path: Path, free_port: int
) -> None:
    options = ("--drain-seconds", "300")
    with serving_process(tmp_path / "data", free_port, options=options) as serving:
        os.kill(serving.pid, signal.SIGINT)
        until(lambda: serving.client.ask("GET", "/readyz").status == 503)
        assert "stopping" in serving.client.ask("GET", "/readyz").content["message"]
        assert serving.client.ask("GET", "/healthz").status == 200
        assert serving.client.post("/v1/track", message()).status == 200
        # Ctrl-C once more.
        assert serving.signal(signal.SIGINT) == 0
        assert len(stored_lines(serving.settings)) == 1
        assert "Traceback" not in serving.log


@pytest.mark.slow
def test_a_store_that_hangs_leaves_no_question_unanswered_and_holds_up_no_stop(
    s3_endpoint: str, s3_lake_url: str, tmp_path: Path, free_port: int
) -> None:
    with (
        troubled_store(s3_endpoint) as (store, address),
        serving_process(
            tmp_path / "data",
            free_port,
            {"FEEDBACK_LAKE_URL": s3_lake_url, "AWS_ENDPOINT_URL_S3": address},
        ) as serving,
        ThreadPoolExecutor() as pool,
    ):
        store.is_hanging = True
        readiness = pool.submit(serving.client.ask, "GET", "/readyz")
        subjects = pool.submit(serving.client.ask, "GET", "/registry/subjects")
        assert readiness.result(30).status == 503
        assert "does not answer" in readiness.result().content["message"]
        began = time.monotonic()
        # It waits for the answer that somebody waits for, but not for the store.
        assert serving.signal(signal.SIGTERM) == 0
        assert time.monotonic() - began < 15
        answer = subjects.result(30)
        assert (answer.status, answer.content["error_code"]) == (503, 50001)
        assert int(answer.headers["retry-after"]) > 0
        assert "Traceback" not in serving.log


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory in which sockets find room: those of tests have long names."""
    with TemporaryDirectory(prefix="t-") as name:
        yield Path(name)


def test_workers_whose_supervisor_was_killed_free_the_port(
    short_directory: Path, tmp_path: Path, free_port: int
) -> None:
    environment = {"TMPDIR": str(short_directory)}
    with serving_process(tmp_path / "data", free_port, environment, workers=2) as serving:
        until(lambda: len(list(short_directory.glob("*/sockets/*"))) == 2)
        serving.signal(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                serving.client.connect().close()
            except ConnectionRefusedError:
                break
            time.sleep(0.05)
        else:
            pytest.fail("somebody still listens")
        # Nor do they leave anything behind.
        until(lambda: not list(short_directory.iterdir()))
        serving.start()


def test_a_worker_that_was_killed_is_replaced(tmp_path: Path, free_port: int) -> None:
    with serving_process(tmp_path / "data", free_port, workers=2) as serving:
        children = Path(f"/proc/{serving.pid}/task/{serving.pid}/children").read_text().split()
        for child in map(int, children):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OSError):
                if serving.client.ask("GET", "/healthz").status == 200:
                    return
            time.sleep(0.1)
        pytest.fail("nobody took over")
