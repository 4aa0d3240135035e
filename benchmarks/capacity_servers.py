"""What requests take of a server's processor, and of memory, each beside a bare application.

The servers and the load are those of collector.py, recommendations_api.py and flags.py.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import Final

import collector
import flags
import psutil
import recommendations_api
from capacity_sizing import EVENTS, Cost

SECONDS: Final = 4.0
ITEMS: Final = 20_000
LISTS_A_SECOND: Final = 200.0
FLAGS_A_SECOND: Final = 1_000.0
_LOOK_SECONDS: Final = 0.1


def collecting(connections: Sequence[int]) -> Iterator[Cost]:
    """Give what a durable event takes; the peer decodes the same requests and stores nothing."""
    for stage, path, batch in (
        ("collecting, one event a request", "/v1/track", 1),
        ("collecting, 100 events a request", "/v1/batch", 100),
    ):
        for number in connections:
            port = collector.free_port()
            bare = [sys.executable, collector.__file__, "bare", str(port)]
            plain = collector.measured(bare, port, path, batch, number, SECONDS)
            with tempfile.TemporaryDirectory() as directory, peak() as memory:
                command = _serve(directory, port)
                found = collector.measured(command, port, path, batch, number, SECONDS)
            _nothing_failed(stage, found)
            each, peer = (every["cpu_per_request"] / batch for every in (found, plain))
            yield Cost(stage, EVENTS, "connections", number, each, memory[0], peer)


def listing(users: Sequence[int]) -> Iterator[Cost]:
    """Give what a click and the list after it take, and the lists' file; the peer is a constant."""
    for number in users:
        port = collector.free_port()
        rate, ahead = LISTS_A_SECOND, 0.1
        open_connections = int(rate * ahead * 2) + 1
        load = [str(e) for e in (rate, open_connections, number, ITEMS, SECONDS, ahead)]
        with tempfile.TemporaryDirectory() as directory:
            recommendations_api.publish(Path(directory), number, ITEMS)
            file = max(path.stat().st_size for path in Path(directory, "lake").rglob("*"))
            with collector.server(_serve(directory, port), port) as process:
                size = recommendations_api.answer_bytes(port)
                time.sleep(1)
                found = recommendations_api.measured(process, port, load)
        script = str(Path(__file__).with_name("constant_answer.py"))
        constant = [sys.executable, script, str(port), "1", str(size)]
        with collector.server(constant, port) as process:
            plain = recommendations_api.measured(process, port, load)
        stage = "a click and the list after it"
        _nothing_failed(stage, found)
        each, peer = (every["spent"] / every["answered"] for every in (found, plain))
        yield Cost(stage, "requests", "users", number, each, found["memory"], peer)
        yield Cost("lists file", "users", "users", number, file / number)


def flag(users: Sequence[int]) -> Iterator[Cost]:
    """Give what the evaluation of a flag takes; the peer decodes the request."""
    for number in users:
        port = collector.free_port()
        with tempfile.TemporaryDirectory() as directory:
            # The bare application and the server; the others answer other questions.
            both = islice(flags.installations(directory, number, port), 2)
            measured = []
            for _, path, command in both:
                with peak() as memory:
                    load = (path, FLAGS_A_SECOND, 64, number)
                    measured.append(flags.measured(command, port, *load, seconds=SECONDS))
        plain, found = (each["cpu_per_request"] for each in measured)
        _nothing_failed("evaluating a flag", measured[1])
        yield Cost("evaluating a flag", "requests", "users", number, found, memory[0], plain)


@contextmanager
def peak() -> Iterator[list[float]]:
    """Look at the memory of all that this process starts meanwhile, but for the load; in bytes."""
    found, ended = [0.0], Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            found[0] = max(found[0], _resident())

    looking = Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        ended.set()
        looking.join()


def _resident() -> float:
    held = 0.0
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            held += 0 if "generate" in each.cmdline() else each.memory_info().rss
    return held


def _serve(directory: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "feedback_platform", "serve", "--quiet"]
    return [*command, "--data-dir", directory, "--port", str(port), "--workers", "1"]


def _nothing_failed(stage: str, found: dict[str, float]) -> None:
    if found["failures"]:
        print(f"{stage}: {found['failures']:.0f} requests failed", file=sys.stderr)
