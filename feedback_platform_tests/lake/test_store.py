"""A directory, an S3 and a GCS endpoint are lakes; then what is true of each alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from moto.backends import get_backend

from feedback_platform.errors import (
    InvalidSettingError,
    LakeAccessError,
    LakeObjectExistsError,
    LakeUnavailableError,
    TransientError,
)
from feedback_platform.lake.store import Lake
from feedback_platform_tests.lake.conformance import LakeConformance, RemoteLakeConformance
from feedback_platform_tests.lake.gcs_server import BUCKET as GCS_BUCKET
from feedback_platform_tests.lake.gcs_server import GcsServer, service_account
from feedback_platform_tests.services.s3_server import BUCKET


class TestADirectory(LakeConformance):
    @pytest.fixture
    def any_lake(self, lake: Lake) -> Lake:
        return lake


class TestAnS3Endpoint(RemoteLakeConformance):
    @pytest.fixture
    def any_lake(self, s3_lake_url: str) -> Lake:
        return Lake(s3_lake_url)

    @pytest.fixture
    def deaf_lake(self, s3_lake_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Lake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port}")
        return Lake(s3_lake_url)

    @pytest.fixture
    def put_many(self) -> Callable[[Lake, list[str]], None]:
        def put(lake: Lake, keys: list[str]) -> None:
            server = get_backend("s3")["123456789012"]["global"]
            for key in keys:
                server.put_object(BUCKET, f"{urlsplit(lake.url).path[1:]}/{key}", b"")

        return put


class TestGoogleCloudStorage(RemoteLakeConformance):
    @pytest.fixture
    def any_lake(self, gcs_lake: Lake) -> Lake:
        return gcs_lake

    @pytest.fixture
    def deaf_lake(self, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
        account = service_account(tmp_path, free_port)
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
        return Lake(f"gs://{GCS_BUCKET}/some/prefix")

    @pytest.fixture
    def put_many(self, gcs: GcsServer) -> Callable[[Lake, list[str]], None]:
        def put(_: Lake, keys: list[str]) -> None:
            gcs.objects.update({f"some/prefix/{key}": b"" for key in keys})

        return put

    def test_a_create_whose_answer_was_lost_has_succeeded(
        self, any_lake: Lake, gcs: GcsServer
    ) -> None:
        gcs.lost_answers = 1

        any_lake.put("key", b"mine", mode="create")

        assert gcs.lost_answers == 0
        assert any_lake.get("key") == b"mine"

    def test_a_create_that_may_not_be_read_back_is_taken_for_somebody_else_s(
        self, any_lake: Lake, gcs: GcsServer
    ) -> None:
        gcs.lost_answers = 1
        gcs.is_write_only = True

        with pytest.raises(LakeObjectExistsError):
            any_lake.put("key", b"mine", mode="create")


def _fail(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("mode", "owner", "step"),
    [
        ("create", os, "fsync"),
        ("create", os, "link"),
        ("overwrite", os, "fsync"),
        ("overwrite", Path, "replace"),
    ],
)
def test_nothing_of_a_failed_write_is_visible(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, mode: Any, owner: Any, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, _fail)
        with pytest.raises(LakeUnavailableError, match="No space left") as caught:
            lake.put("p/key", b"half", mode=mode)

    assert isinstance(caught.value, TransientError)
    assert lake.find("p/key") is None
    assert lake.list_keys("p") == []
    lake.put("p/key", b"whole", mode="create")
    assert lake.get("p/key") == b"whole"


def test_a_failed_overwrite_leaves_the_old_content(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.put("key", b"old", mode="create")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fail)
        with pytest.raises(LakeUnavailableError):
            lake.put("key", b"new", mode="overwrite")

    assert lake.get("key") == b"old"


def test_what_a_killed_writer_left_behind_is_not_listed(lake: Lake, tmp_path: Path) -> None:
    lake.put("p/key", b"", mode="create")
    (tmp_path / "lake" / "p" / "other#123456").write_bytes(b"half")

    assert lake.list_keys("p") == ["p/key"]


def test_a_refusal_is_permanent_and_says_what_to_check(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "link", refuse)

    with pytest.raises(
        LakeAccessError, match=r"refused access to 'key'.*Check that the bucket or directory"
    ):
        lake.put("key", b"", mode="create")


def test_an_s3_lake_without_credentials_says_so(
    s3_lake_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(InvalidSettingError, match="only with AWS credentials"):
        Lake(s3_lake_url)


def test_the_way_to_a_new_object_is_forced_to_disk_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    root = lake.directory
    assert root is not None
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            synced.append(str(path.relative_to(root)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    lake.put("raw/events/hr=00/a", b"1", mode="create")
    lake.put("raw/events/hr=00/b", b"2", mode="create")

    assert synced == [".", "raw", "raw/events", "raw/events/hr=00", "raw/events/hr=00"]


def test_a_password_in_the_address_of_the_store_is_refused_before_an_error_shows_it(
    s3_lake_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://reader:91ce04d2@127.0.0.1:9")
    with pytest.raises(InvalidSettingError, match="AWS_ENDPOINT_URL") as refused:
        Lake(s3_lake_url)
    assert "91ce04d2" not in str(refused.value)
