"""Running the application: sockets, processes, signals."""

from __future__ import annotations

import asyncio
import atexit
import errno
import gc
import ipaddress
import logging
import multiprocessing
import resource
import signal
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from feedback_platform.errors import InvalidInputError
from feedback_platform.serving.application import build_application
from feedback_platform.serving.connections import MAX_CONNECTIONS, Connection
from feedback_platform.serving.neighbours import meeting_place
from feedback_platform.settings import Settings

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 65
# Longer than a store may take to answer or to fail.
_PARTING_SECONDS: Final = 20
# A worker that says nothing for so long is replaced. It is silent while it imports what it needs,
# which on a busy machine takes its time.
_SILENT_SECONDS: Final = 60
_GARBAGE_AFTER: Final = 50_000
_FILES_BESIDE_CONNECTIONS: Final = 256


@dataclass(frozen=True)
class ApplicationFactory:
    """Builds the application in each process; the settings travel there with it.

    Attributes:
        settings: whom it listens to, and where it stores.
        workers: how many processes there are.
        is_alone: whether the process does nothing else, so that its log and its memory may be
            arranged for the server.
        meeting_place: the directory in which they find each other; None for a single one.
    """

    settings: Settings
    workers: int = 1
    is_alone: bool = False
    meeting_place: Path | None = None

    def __call__(self) -> ASGIApp:
        """Return the application of this process."""
        application = build_application(
            self.settings, workers=self.workers, meeting_place=self.meeting_place
        )
        if self.is_alone:
            _arrange_process()
        return _until_parent_dies(application) if self.workers > 1 else application


def server_configuration(factory: ApplicationFactory) -> uvicorn.Config:
    """Return how uvicorn serves the application."""
    return uvicorn.Config(
        factory,
        factory=True,
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="on",
        workers=factory.workers,
        backlog=_BACKLOG,
        log_config=None,
        log_level="error",
        # A line a request costs more than the request, and the path of the settings is a key.
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_PARTING_SECONDS,
        timeout_worker_healthcheck=_SILENT_SECONDS,
    )


def run_server(settings: Settings, listener: socket.socket, *, workers: int) -> None:
    """Serve until a signal says to stop; what was received by then is answered.

    Args:
        settings: whom the server listens to, and where it stores.
        listener: a bound socket; it is closed at the end.
        workers: how many processes share the load.
    """
    _allow_many_files()
    # uvicorn raises the signal again when it has stopped in order; that is no failure.
    for stopping in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopping, _ignore)
    factory = ApplicationFactory(settings, workers, is_alone=True)
    if workers == 1:
        uvicorn.Server(server_configuration(factory)).run(sockets=[listener])
        return
    with meeting_place() as directory:
        config = server_configuration(replace(factory, meeting_place=directory))
        Multiprocess(config, sockets=[listener]).run()


def _arrange_process() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    # What is loaded by now stays. Looking through it again and again, after every few hundred new
    # objects, would take a tenth of the time of a request.
    gc.collect()
    gc.freeze()
    # At the end it has to be found again: DuckDB reports on stderr what nobody freed.
    atexit.register(gc.unfreeze)
    gc.set_threshold(_GARBAGE_AFTER, 20, 100)


def bound_socket(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Return a socket at an address, not listening yet.

    Args:
        host: a name or an address of this machine.
        port: of TCP; 0 for any that is free.
        option: the one with which a person chose the port.

    Raises:
        InvalidInputError: the address is taken or is not this machine's.
    """
    with ExitStack() as on_failure:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = on_failure.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            is_of_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
            raise InvalidInputError(
                f"Port {port} of {host} cannot be used ({error.strerror}); "
                f"choose another: {'--host' if is_of_host else option}."
            ) from error
        on_failure.pop_all()
    listener.set_inheritable(True)
    return listener


def web_address(host: str, port: int) -> str:
    """Return the URL of a host, which may be an IPv6 address, and a port."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine reach a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _allow_many_files() -> None:
    """Raise the number of open files to what the connections may need, as far as is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _FILES_BESIDE_CONNECTIONS
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files != resource.RLIM_INFINITY:
        Connection.max_connections = max(1, min(MAX_CONNECTIONS, files - _FILES_BESIDE_CONNECTIONS))


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    return


def _until_parent_dies(application: ASGIApp) -> ASGIApp:
    """Return an application whose process stops when its supervisor was killed.

    Otherwise it would hold the port, and nobody would restart or stop it.
    """

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        parent = multiprocessing.parent_process()
        if scope["type"] == "lifespan" and parent is not None:
            loop = asyncio.get_running_loop()

            def stop() -> None:
                loop.remove_reader(parent.sentinel)
                signal.raise_signal(signal.SIGTERM)

            loop.add_reader(parent.sentinel, stop)
        await application(scope, receive, send)

    return watched
