"""A bare application that answers everything with a constant: what a web server costs by itself.

python benchmarks/constant_answer.py PORT WORKERS BYTES
"""

from __future__ import annotations

import os
import sys
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_SIZE: Final = "BENCHMARK_ANSWER_BYTES"
_ARGUMENTS: Final = 4


def application() -> Starlette:
    """Return the application of one process; the size of its answers stands in the environment."""
    frame = b'{"items":""}'
    constant = frame[:-2] + b"x" * (int(os.environ[_SIZE]) - len(frame)) + frame[-2:]

    async def answer(_request: Request) -> Response:
        return Response(constant, media_type="application/json")

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])


if __name__ == "__main__" and len(sys.argv) == _ARGUMENTS:
    _port, _workers, os.environ[_SIZE] = sys.argv[1:]
    uvicorn.run(
        "constant_answer:application",
        factory=True,
        port=int(_port),
        workers=int(_workers),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_worker_healthcheck=60,
    )
