"""A server between the platform and an S3 server, which loses what it is told to lose."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


class TroubledStore:
    """What befalls requests on their way; set it while they come.

    Attributes:
        refused: the share that is answered 503 and not passed on.
        lost: the share that is passed on, but whose answer never comes back.
        is_hanging: whether nothing is passed on nor answered.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = urlsplit(endpoint)
        self.refused = 0.0
        self.lost = 0.0
        self.is_hanging = False
        self.chance = random.Random(1)
        self.over = threading.Event()


@contextmanager
def troubled_store(endpoint: str) -> Iterator[tuple[TroubledStore, str]]:
    """Start one before an S3 server; yield it and the address to use instead."""
    store = TroubledStore(endpoint)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield store, f"http://127.0.0.1:{server.server_port}"
    finally:
        store.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(store: TroubledStore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            return

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if store.is_hanging:
                store.over.wait()
                self.close_connection = True
                return
            if store.chance.random() < store.refused:
                self._answer(503, {}, _SLOW_DOWN)
                return
            host, port = store.endpoint.hostname, store.endpoint.port
            upstream = HTTPConnection(str(host), port, timeout=30)
            try:
                # The signature was made for the address that the sender knows.
                upstream.request(self.command, self.path, body, dict(self.headers))
                response = upstream.getresponse()
                content = response.read()
            finally:
                upstream.close()
            if store.chance.random() < store.lost:
                self.close_connection = True
                return
            self._answer(response.status, dict(response.headers), content)

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            with suppress(OSError):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - their names

    return Handler
