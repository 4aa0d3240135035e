"""A page in a real browser: files served on this machine, opened in headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from feedback_platform_tests.services.processes import ServiceError, stop

_BROWSERS: Final = ("chromium", "google-chrome")
# Without a sandbox it runs as root, too; the rest keeps it from calling home.
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".json": "application/json"}


class Site(ThreadingHTTPServer):
    """Serves files; a page says at `/done` that it is through, and with what outcome."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.files = files
        self.outcome = b""
        self.is_done = threading.Event()

    @property
    def address(self) -> str:
        """Where it is; a port of its own makes it an origin of its own."""
        return f"http://127.0.0.1:{self.server_port}"


class _Page(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES[Path(self.path).suffix])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.server.outcome = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()
        self.server.is_done.set()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def site(files: Mapping[str, bytes]) -> Iterator[Site]:
    """Serve files, by path, as long as the context lasts."""
    with Site(files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def browser_program() -> str:
    """Return where the browser is.

    Raises:
        ServiceError: there is none on this machine.
    """
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise ServiceError("A browser is needed for the service tests: apt-get install chromium")
    return program


@contextmanager
def page(address: str) -> Iterator[None]:
    """Show a page in a browser that knows nothing yet.

    Raises:
        ServiceError: there is no browser on this machine.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [browser_program(), *FLAGS, f"--user-data-dir={profile}", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            stop(process)
