"""`feedback-platform ingest kafka --engine spark` as a process, with all that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from feedback_platform_tests.services.kafka_broker import KafkaBroker
from feedback_platform_tests.services.kafka_consumer import COMMAND

# Java and its workers start, and their code is compiled, on whatever the other tests leave.
PATIENCE_SECONDS: Final = 900.0


class SparkJob:
    """One job; what it writes is kept in a file."""

    def __init__(
        self,
        broker: KafkaBroker,
        data_dir: Path,
        topic: str,
        *options: str,
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._log = log
        reading = ("--topic", topic, "--bootstrap-servers", broker.servers, "--engine", "spark")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, "ingest", "kafka", *reading, *options, "--data-dir", str(data_dir)],
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                # Java and Python's workers are killed with it, as by a power cut.
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)

    def end(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        return self._process.wait(PATIENCE_SECONDS)

    def await_that(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert not self.has_ended, self.log
            assert time.monotonic() < deadline, f"waited in vain for: {what}\n{self.log}"
            time.sleep(0.02)


@contextmanager
def killed_at_last(job: SparkJob) -> Iterator[SparkJob]:
    """Leave nothing of a job behind that a failed test did not end."""
    try:
        yield job
    finally:
        if not job.has_ended:
            job.kill()
