"""What EMR Serverless answers to AWS's own client, for one application, on this machine.

The operations are StartJobRun, GetJobRun, CancelJobRun and GetDashboardForJobRun, as the API
reference describes them. What a job run does is up to whoever starts the server.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

APPLICATION: Final = "00fsparkapp"
ROLE: Final = "arn:aws:iam::123456789012:role/feedback-spark"
_JOB_RUNS: Final = re.compile(rf"/applications/{APPLICATION}/jobruns(/(?P<id>\w+)(/dashboard)?)?")
_DRIVER_VARIABLE: Final = re.compile(r"--conf spark\.emr-serverless\.driverEnv\.(\w+)=(\S+)")


class JobRun(Protocol):
    """What was started."""

    @property
    def state(self) -> str:
        """As GetJobRun names it."""

    def cancel(self) -> None:
        """End it."""


class Starting(Protocol):
    """Starts what a request asks for."""

    def __call__(self, request: dict[str, Any]) -> JobRun: ...


@dataclass
class RefusedError(Exception):
    """What the service answers instead."""

    status: int
    code: str


@dataclass
class EmrServer:
    """The service, and what it was asked for."""

    start: Starting
    requests: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[str, JobRun] = field(default_factory=dict)
    endpoint: str = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        found = _JOB_RUNS.fullmatch(path.partition("?")[0])
        if found is None:
            raise RefusedError(404, "ResourceNotFoundException")
        if method == "POST":
            self.requests.append(body)
            name = f"run{len(self.requests)}"
            self.runs[name] = self.start(body)
            return self._named(name)
        run, name = self.runs[found["id"]], found["id"]
        if method == "DELETE":
            run.cancel()
            return self._named(name)
        if path.endswith("/dashboard"):
            return {"url": f"{self.endpoint}/history/{name}"}
        asked = self.requests[int(name.removeprefix("run")) - 1]
        described = {"state": run.state, "stateDetails": "", "createdAt": 0, "updatedAt": 0}
        return {"jobRun": {**self._named(name), **described, "jobDriver": asked["jobDriver"]}}

    def _named(self, name: str) -> dict[str, str]:
        arn = f"arn:aws:emr-serverless:eu-west-1:123456789012:/applications/{APPLICATION}"
        return {"applicationId": APPLICATION, "jobRunId": name, "arn": f"{arn}/jobruns/{name}"}


def driver_variables(request: dict[str, Any]) -> dict[str, str]:
    """The variables that a request gives to the driver."""
    parameters = request["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]
    return dict(_DRIVER_VARIABLE.findall(parameters))


@contextmanager
def emr_server(start: Starting) -> Iterator[EmrServer]:
    """Answer on a port of the loopback interface until the end."""
    service = EmrServer(start)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            try:
                status, said = 200, service.answer(self.command, self.path, body)
            except RefusedError as refusal:
                status, said = refusal.status, {"message": "as the test wants it"}
                self._begin(status, {"x-amzn-ErrorType": refusal.code})
            else:
                self._begin(status, {})
            self.wfile.write(b"" if self.command == "HEAD" else json.dumps(said).encode())

        do_GET = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815 - the base's names

        def _begin(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_said: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
