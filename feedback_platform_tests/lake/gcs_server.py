"""A stand-in for Google Cloud Storage: as much of its XML API as a lake uses.

No server that speaks this API could be had: the emulators take uploads in the JSON API alone, and
their listings neither begin at an offset nor come in pages.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET: Final = "feedback"
PAGE_KEYS: Final = 1000
_MODIFIED: Final = "Mon, 02 Mar 2026 10:00:00 GMT"


class GcsServer(ThreadingHTTPServer):
    """The server, and what it keeps: the content of each object by its name, in one bucket."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        # How many uploads are stored and then answered as if they were not.
        self.lost_answers = 0
        self.is_write_only = False
        self.lock = threading.Lock()


@contextmanager
def gcs_server() -> Iterator[GcsServer]:
    """Run a server in a thread."""
    with GcsServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def service_account(directory: Path, port: int) -> Path:
    """Write the file that leads Google's clients to a server on this machine."""
    path = directory / f"service-account-{port}.json"
    fields = {
        "gcs_base_url": f"http://127.0.0.1:{port}",
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    path.write_text(json.dumps(fields))
    return path


class _Handler(BaseHTTPRequestHandler):
    server: GcsServer
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            # The only precondition that a lake knows: there is no object yet.
            is_to_be_new = self.headers.get("x-goog-if-generation-match") == "0"
            if is_to_be_new and self._name in self.server.objects:
                self._refuse(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
            elif self._has_bucket():
                self.server.objects[self._name] = content
                if self.server.lost_answers:
                    self.server.lost_answers -= 1
                    self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable")
                else:
                    self._answer(b"", {"x-goog-generation": "1"})

    def do_GET(self) -> None:
        if not self._has_bucket():
            return
        if self.server.is_write_only:
            self._refuse(HTTPStatus.FORBIDDEN, "AccessDenied")
        elif not self._name:
            self._list(dict(parse_qsl(urlsplit(self.path).query)))
        elif self._name in self.server.objects:
            self._answer(self.server.objects[self._name], {"Last-Modified": _MODIFIED})
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "NoSuchKey")

    def do_DELETE(self) -> None:
        if not self._has_bucket():
            return
        with self.server.lock:
            if self.server.objects.pop(self._name, None) is None:
                self._refuse(HTTPStatus.NOT_FOUND, "NoSuchKey")
            else:
                self._answer(b"", {}, HTTPStatus.NO_CONTENT)

    @property
    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[2]

    def _has_bucket(self) -> bool:
        named = urlsplit(self.path).path.removeprefix("/").partition("/")[0]
        if named != BUCKET:
            self._refuse(HTTPStatus.NOT_FOUND, "NoSuchBucket")
        return named == BUCKET

    def _list(self, query: Mapping[str, str]) -> None:
        """Answer a page: objects below the prefix, those behind a delimiter rolled up."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        after = query.get("continuation-token") or query.get("start-after", "")
        entries: list[str] = []
        rolled: set[str] = set()
        for name in sorted(self.server.objects):
            if not name.startswith(prefix) or name <= after:
                continue
            rest = name.removeprefix(prefix)
            if delimiter and delimiter in rest:
                rolled.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                entries.append(name)
        page = entries[: min(PAGE_KEYS, int(query.get("max-keys", PAGE_KEYS)))]
        is_cut = len(page) < len(entries)
        text = "".join(self._entry(name) for name in page)
        text += "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            for name in sorted(rolled)
        )
        if is_cut:
            text += f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        text += f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>"
        self._answer(f"<ListBucketResult>{text}</ListBucketResult>".encode(), {})

    def _entry(self, name: str) -> str:
        size = len(self.server.objects[name])
        return (
            f"<Contents><Key>{escape(name)}</Key><Size>{size}</Size><ETag>e</ETag>"
            "<LastModified>2026-03-02T10:00:00.000Z</LastModified></Contents>"
        )

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{status.phrase}.</Message></Error>"
        self._answer(text.encode(), {}, status)

    def _answer(
        self, body: bytes, headers: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "ETag": '"e"', "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests say what went wrong."""
