"""`feedback-platform serve` as a process of its own, which may be killed, and senders beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from feedback_platform.settings import Settings, load_settings
from feedback_platform_tests.serving.running import RunningServer

START_SECONDS = 60


class ServingProcess:
    """The server, its port and its data; it may be started again and again."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        environment: Mapping[str, str] | None = None,
        workers: int = 1,
        options: Sequence[str] = (),
    ) -> None:
        self.port = port
        self.settings: Settings = load_settings(data_dir, environment or {})
        self._environment = {**os.environ, **(environment or {})}
        self._command = [
            *(sys.executable, "-m", "feedback_platform", "serve"),
            *("--data-dir", str(data_dir), "--port", str(port), "--workers", str(workers)),
            *options,
        ]
        self._log = data_dir.parent / f"serve-{port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> RunningServer:
        return RunningServer(self.port, self.settings)

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server, as what restarts a service does: again, if it could not."""
        deadline = time.monotonic() + START_SECONDS
        self._open()
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                # The workers of a killed server hold its port until they notice.
                assert "Address already in use" in self.log, self.log
                self._open()
            # A worker of a killed server may answer in part before it notices.
            with suppress(OSError, HTTPException):
                if self.client.ask("GET", "/healthz").status == 200:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"the server did not start: {self.log}")

    def _open(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log
            )

    def signal(self, number: signal.Signals) -> int:
        """Send a signal; return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(START_SECONDS)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)


@contextmanager
def serving_process(
    data_dir: Path,
    port: int,
    environment: Mapping[str, str] | None = None,
    workers: int = 1,
    options: Sequence[str] = (),
) -> Iterator[ServingProcess]:
    data_dir.mkdir(parents=True, exist_ok=True)
    serving = ServingProcess(data_dir, port, environment, workers, options)
    serving.start()
    try:
        yield serving
    finally:
        serving.kill()


class Senders:
    """Threads that send messages all the time, and remember what became of them.

    Attributes:
        acknowledged: messages by id that were answered with 200.
        unanswered: ids of messages that were sent on a connection on which something had been
            answered already, or all of them, and got no answer.
        statuses: how many answers had which status.
    """

    def __init__(self, port: int, *, threads: int = 4, padding: int = 0) -> None:
        self._port = port
        self._padding = "x" * padding
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.unanswered: list[str] = []
        self.statuses: dict[int, int] = {}
        self._threads = [
            threading.Thread(target=self._send, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _send(self, number: int) -> None:
        turn = 0
        connection: HTTPConnection | None = None
        while not self._stopping.is_set():
            turn += 1
            messages = [self._message(number, turn, each) for each in range(1 + turn % 5)]
            is_single = len(messages) == 1
            path = "/v1/track" if is_single else "/v1/batch"
            body = json.dumps(messages[0] if is_single else {"batch": messages})
            is_reused = connection is not None
            connection = connection or HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                connection.request("POST", path, body)
                response = connection.getresponse()
                response.read()
            except (OSError, HTTPException):
                connection.close()
                connection = None
                if is_reused:
                    with self._lock:
                        self.unanswered += [each["messageId"] for each in messages]
                time.sleep(0.01)
                continue
            if response.will_close:
                connection.close()
                connection = None
            with self._lock:
                self.statuses[response.status] = self.statuses.get(response.status, 0) + 1
                if response.status == 200:
                    self.acknowledged.update((each["messageId"], each) for each in messages)
            if response.status != 200:
                time.sleep(0.05)
        if connection is not None:
            connection.close()

    def _message(self, sender: int, turn: int, number: int) -> dict[str, Any]:
        return {
            "type": "track",
            "messageId": f"{uuid4()}",
            "userId": f"user-{sender}",
            "event": "Product Clicked",
            "timestamp": "2026-05-05T10:00:00Z",
            "properties": {"product_id": f"item-{turn}-{number}", "padding": self._padding},
        }
