from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform_tests.lake.gcs_server import BUCKET, GcsServer, gcs_server, service_account


@pytest.fixture(params=["directory", "s3"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """Each kind of lake in turn: one suite says what a lake is."""
    if request.param == "s3":
        url: str = request.getfixturevalue("s3_lake_url")
        return Lake(url)
    return Lake((tmp_path / "any lake").as_uri())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


@pytest.fixture
def gcs() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture
def gcs_lake(gcs: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    account = service_account(tmp_path, gcs.server_port)
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
    return Lake(f"gs://{BUCKET}/some/prefix")
