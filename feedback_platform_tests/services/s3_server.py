"""An S3 server over a directory: versitygw, built from the Go module in `s3/`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedback_platform_tests.services.processes import answers, free_port, go_program, running

BUCKET: Final = "feedback"
ACCESS_KEY: Final = "testing"
SECRET_KEY: Final = "testing-secret"  # noqa: S105 - of a server that lives as long as a test run


@dataclass(frozen=True)
class S3Server:
    """A running server; a directory in its own is a bucket, and a file in that an object."""

    endpoint: str
    directory: Path


@contextmanager
def s3_server(directory: Path) -> Iterator[S3Server]:
    """Run a server without buckets.

    Raises:
        ServiceError: it could not be built or started.
    """
    program = go_program("versitygw", Path(__file__).parent / "s3")
    buckets = directory / "buckets"
    buckets.mkdir()
    address = f"127.0.0.1:{free_port()}"
    with running(
        [
            *(str(program), "--quiet", "--port", address, "--health", "/health"),
            *("posix", str(buckets)),
        ],
        log=directory / "s3.log",
        is_ready=lambda: answers(f"http://{address}/health"),
        environment={
            **os.environ,
            "ROOT_ACCESS_KEY_ID": ACCESS_KEY,
            "ROOT_SECRET_ACCESS_KEY": SECRET_KEY,
        },
    ):
        yield S3Server(f"http://{address}", buckets)


def s3_variables(endpoint: str) -> dict[str, str]:
    """Return the variables, AWS's own, by which a process finds a server on this machine."""
    return {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
