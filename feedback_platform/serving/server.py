"""Running the application: sockets, processes, signals."""

from __future__ import annotations

import errno
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Final, NoReturn

import uvicorn

from feedback_platform.errors import InvalidInputError
from feedback_platform.serving.application import Application, build_application
from feedback_platform.serving.connections import MAX_CONNECTIONS, Connection
from feedback_platform.serving.http_server import HttpServer
from feedback_platform.serving.logs import configure_logs
from feedback_platform.serving.neighbours import meeting_place
from feedback_platform.serving.operation import ALONE, ServingProcess
from feedback_platform.serving.stop_signals import StopSignals, noted_signals
from feedback_platform.serving.supervisor import Patience, Supervisor
from feedback_platform.settings import Settings

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 65
# For the requests in flight: longer than a store may take to answer or to fail.
_PARTING_SECONDS: Final = 15
# For all of the stopping; what the store has not taken by then is given up before. Who runs the
# server in containers is used to 30 seconds.
_STOP_SECONDS: Final = 27.0
_KILL_SECONDS: Final = 28.0
_GARBAGE_AFTER: Final = 50_000
_FILES_BESIDE_CONNECTIONS: Final = 256


@dataclass(frozen=True)
class ServerOptions:
    """How a server runs, beside its settings.

    Attributes:
        workers: how many processes share the load.
        drain_seconds: for which it takes requests after a signal to stop, while /readyz says that
            it stops.
        access_share: which part of the requests is logged.
    """

    workers: int = 1
    drain_seconds: float = 0.0
    access_share: float = 0.0


@dataclass(frozen=True)
class ApplicationFactory:
    """Builds the application in each process; the settings travel there with it.

    Attributes:
        settings: whom it listens to, and where it stores.
        process: which process it is.
        is_alone: whether the process does nothing else, so that its memory may be arranged for
            the server.
    """

    settings: Settings
    process: ServingProcess = ALONE
    is_alone: bool = False

    def __call__(self) -> Application:
        """Return the application of this process."""
        application = build_application(self.settings, self.process)
        if self.is_alone:
            _arrange_memory()
        return application


@dataclass(frozen=True)
class _Worker:
    """One of several processes at a socket."""

    settings: Settings
    options: ServerOptions
    listener: socket.socket
    shared_directory: Path

    def __call__(self, place: int, heartbeats: Pipe) -> NoReturn:
        options = self.options
        with signals_of(replace(options, workers=1)) as signals:
            # When a worker ends is for the supervisor to say; Ctrl-C comes to all of them.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            configure_logs(self.settings)
            process = ServingProcess(
                options.workers, place, self.shared_directory, options.access_share
            )
            server = _server(self.settings, process, options)
            leave(server.serve_until(signals, self.listener, heartbeats))


def _server(settings: Settings, process: ServingProcess, options: ServerOptions) -> HttpServer:
    factory = ApplicationFactory(settings, process, is_alone=True)
    return HttpServer(server_configuration(factory), drain_seconds=options.drain_seconds)


def server_configuration(factory: ApplicationFactory) -> uvicorn.Config:
    """Return how uvicorn serves the application."""
    return uvicorn.Config(
        factory,
        factory=True,
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        log_config=None,
        log_level="error",
        # A line a request costs more than the request, and the path of the settings is a key.
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_PARTING_SECONDS,
    )


def signals_of(options: ServerOptions) -> AbstractContextManager[StopSignals]:
    """Listen for what ends a server; from here on it ends in order, and in bounded time."""
    seconds = _KILL_SECONDS + 1 if options.workers > 1 else _STOP_SECONDS
    return noted_signals(seconds=seconds + options.drain_seconds)


def run_server(
    settings: Settings, listener: socket.socket, options: ServerOptions, signals: StopSignals
) -> int:
    """Serve until a signal says to stop; what was received by then is answered.

    Args:
        settings: whom the server listens to, and where it stores.
        listener: a bound socket; it is closed at the end.
        options: how it runs.
        signals: which came, and will come.

    Returns:
        The exit code.
    """
    configure_logs(settings)
    _allow_many_files()
    if options.workers == 1:
        process = ServingProcess(access_share=options.access_share)
        return _server(settings, process, options).serve_until(signals, listener)
    patience = Patience(end=_KILL_SECONDS + options.drain_seconds)
    with meeting_place() as directory:
        worker = _Worker(settings, options, listener, directory)
        return Supervisor(worker, options.workers, signals, patience).run()


def leave(code: int) -> NoReturn:
    """End the process at once, with everything said.

    Taking down the interpreter first helps nobody here, and may hang: threads of the libraries for
    the store and the database still run, and look for it.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # Whoever read there may be gone.
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _arrange_memory() -> None:
    # What is loaded by now stays. Looking through it again and again, after every few hundred new
    # objects, would take a tenth of the time of a request.
    gc.collect()
    gc.freeze()
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
