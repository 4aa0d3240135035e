"""Durable throughput and latency of the collector, beside a bare application that stores nothing.

    python benchmarks/collector.py [--seconds 10] [--workers 1 --workers 2] [--connections 384]

Each server runs as a process of its own, and so does the load, over keep-alive connections that
send the next request when the last was answered. The bare application is served by the same
uvicorn; it only reads the body and decodes its JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import orjson
import psutil
import uvicorn
import uvloop
from machine import say_what_machine

from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake

_HOST = "127.0.0.1"
_WARM_UP_SECONDS = 1.0


def event() -> dict[str, Any]:
    """Return an event such as the libraries send, with an id of its own."""
    return {
        "type": "track",
        "event": "Product Clicked",
        "messageId": str(uuid.uuid4()),
        "userId": f"user-{random.randrange(10_000)}",  # noqa: S311
        "timestamp": "2026-05-05T10:00:00.000Z",
        "properties": {"product_id": f"item-{random.randrange(1000)}", "position": 3},  # noqa: S311
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}, "ip": "10.0.0.1"},
    }


def requests(path: str, batch: int) -> list[bytes]:
    """Return requests to repeat, whole as they go over the wire."""
    made = []
    for _ in range(4000 // batch):
        content = event() if batch == 1 else {"batch": [event() for _ in range(batch)]}
        body = orjson.dumps(content)
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        made.append(head.encode() + body)
    return made


class _Sender(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, load: _Load, first: int) -> None:
        self._load = load
        self._next = first
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        # Every answer is a small JSON object.
        if not self._received.endswith(b"}"):
            return
        now = time.perf_counter()
        self._load.note(now - self._sent_at, is_success=b" 200 " in self._received[:13])
        self._received = b""
        if now < self._load.ends_at:
            self._send()
        else:
            self._transport.close()

    def _send(self) -> None:
        self._next = (self._next + 1) % len(self._load.requests)
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.requests[self._next])


class _Load:
    def __init__(self, path: str, batch: int, seconds: float) -> None:
        self.requests = requests(path, batch)
        self.begins_at = time.perf_counter() + _WARM_UP_SECONDS
        self.ends_at = self.begins_at + seconds
        self.latencies: list[float] = []
        self.failures = 0

    def note(self, latency: float, *, is_success: bool) -> None:
        self.failures += not is_success
        if time.perf_counter() >= self.begins_at:
            self.latencies.append(latency)


async def _generate(port: int, path: str, batch: int, connections: int, seconds: float) -> None:
    load = _Load(path, batch, seconds)
    loop = asyncio.get_running_loop()
    for number in range(connections):
        await loop.create_connection(
            lambda first=number * 7: _Sender(load, first % len(load.requests)),  # type: ignore[misc]
            _HOST,
            port,
        )
    await asyncio.sleep(load.ends_at - time.perf_counter() + 1)
    latencies = sorted(load.latencies)
    click.echo(
        json.dumps(
            {
                "requests_per_second": len(latencies) / seconds,
                "p50": latencies[len(latencies) // 2],
                "p99": latencies[int(len(latencies) * 0.99)],
                "failures": load.failures,
            }
        )
    )


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Decode a request's JSON and answer."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if body:
        orjson.loads(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"17")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"success": true}'})


@contextmanager
def server(command: list[str], port: int) -> Iterator[psutil.Process]:
    """Run a server until it is measured."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"http://{_HOST}:{port}/healthz"):
                break
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time of a server with all its processes."""
    everyone = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in everyone)


def measured(
    command: list[str], port: int, path: str, batch: int, connections: int, seconds: float
) -> dict[str, float]:
    """Return what a server did under load."""
    with server(command, port) as process:
        before = cpu_seconds(process)
        load = [sys.executable, __file__, "generate"]
        load += [str(each) for each in (port, path, batch, connections, seconds)]
        found: dict[str, float] = json.loads(subprocess.check_output(load))  # noqa: S603
        spent = cpu_seconds(process) - before
    asked = found["requests_per_second"] * (seconds + _WARM_UP_SECONDS)
    return {**found, "cpu_per_request": spent / asked}


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        port: int = listener.getsockname()[1]
    return port


@click.group(invoke_without_command=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--workers", multiple=True, default=(1, 2), show_default=True)
@click.option("--connections", default=384, show_default=True)
@click.pass_context
def main(
    context: click.Context, seconds: float, workers: tuple[int, ...], connections: int
) -> None:
    """Measure and print a table."""
    if context.invoked_subcommand is not None:
        return
    say_what_machine()
    print(
        f"{'events a request':>16} {'server':<18} {'requests/s':>10} {'events/s':>10} "
        f"{'of bare':>8} {'p50':>9} {'p99':>9} {'CPU/request':>12} {'objects':>8} {'errors':>7}"
    )
    for batch, path, open_connections in (
        (1, "/v1/track", connections),
        (100, "/v1/batch", max(8, connections // 3)),
    ):
        reference = 0.0
        for count in (0, *workers):
            port = free_port()
            with tempfile.TemporaryDirectory() as directory:
                serve = [sys.executable, "-m", "feedback_platform", "serve", "--quiet"]
                serve += ["--data-dir", directory, "--port", str(port), "--workers", str(count)]
                command = serve if count else [sys.executable, __file__, "bare", str(port)]
                found = measured(command, port, path, batch, open_connections, seconds)
                objects = len(list_raw_objects(Lake(Path(directory, "lake").as_uri())))
            rate = found["requests_per_second"]
            reference = reference or rate
            name = f"serve, {count} worker{'s' * (count > 1)}" if count else "bare decode"
            print(
                f"{batch:>16} {name:<18} {rate:>10,.0f} {rate * batch:>10,.0f} "
                f"{rate / reference:>8.2f} "
                f"{found['p50'] * 1e3:>6.1f} ms {found['p99'] * 1e3:>6.1f} ms "
                f"{found['cpu_per_request'] * 1e6:>9.0f} µs "
                f"{objects:>8,} {found['failures']:>7,.0f}"
            )


@main.command()
@click.argument("port", type=int)
@click.argument("path")
@click.argument("batch", type=int)
@click.argument("connections", type=int)
@click.argument("seconds", type=float)
def generate(port: int, path: str, batch: int, connections: int, seconds: float) -> None:
    """Be the load."""
    uvloop.run(_generate(port, path, batch, connections, seconds))


@main.command(name="bare")
@click.argument("port", type=int)
def serve_bare(port: int) -> None:
    """Be the bare application."""
    uvicorn.run(
        bare,
        host=_HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
