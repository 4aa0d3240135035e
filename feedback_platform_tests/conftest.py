from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.services.s3_server import BUCKET, s3_variables

# Its assertions are explained like those of the files that pytest collects.
pytest.register_assert_rewrite("feedback_platform_tests.lake.conformance")

# Time is measured by benchmarks; a busy machine is no counterexample.
hypothesis_settings.register_profile(
    "feedback", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("feedback")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets; a machine without them skips, but CI may not."""
    default = PROJECT_DIR.parent / "shared" / "data"
    path = Path(os.environ.get("FEEDBACK_SHARED_DATA") or default)
    if not path.is_dir():
        message = f"{path} does not exist; FEEDBACK_SHARED_DATA must name the real data sets"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture
def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server on this machine that speaks S3 over HTTP; the service tests have a real one."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_lake_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An S3 lake with a prefix of its own, configured by AWS's own variables."""
    import boto3

    for name, value in s3_variables(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client("s3", region_name="us-east-1")
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}/{uuid4().hex}"
