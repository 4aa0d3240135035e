"""What a lake is, said once and held against a directory and an S3 endpoint; then each alone."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from moto.backends import get_backend

from feedback_platform.errors import (
    InvalidSettingError,
    LakeAccessError,
    LakeObjectExistsError,
    LakeObjectMissingError,
    LakeUnavailableError,
    TransientError,
)
from feedback_platform.lake.store import Lake
from feedback_platform_tests.conftest import S3_BUCKET


def test_what_was_put_is_what_is_got(any_lake: Lake) -> None:
    content = bytes(range(256)) * 5000

    any_lake.put("a/b/c.bin", content, mode="create")
    any_lake.put("empty", b"", mode="create")

    assert any_lake.get("a/b/c.bin") == content
    assert any_lake.find("a/b/c.bin") == content
    assert any_lake.get("empty") == b""


def test_a_key_may_hold_what_keys_of_other_writers_hold(any_lake: Lake) -> None:
    key = "raw/dt=2026-03-01/Ünï code, with (all) & sorts+of~things.json"

    any_lake.put(key, b"x", mode="create")

    assert any_lake.get(key) == b"x"
    assert any_lake.list_keys("raw") == [key]


def test_create_refuses_to_replace(any_lake: Lake) -> None:
    any_lake.put("key", b"first", mode="create")

    with pytest.raises(LakeObjectExistsError) as caught:
        any_lake.put("key", b"second", mode="create")

    assert caught.value.key == "key"
    assert any_lake.url in str(caught.value)
    assert any_lake.get("key") == b"first"


def test_overwrite_creates_and_replaces(any_lake: Lake) -> None:
    any_lake.put("key", b"a longer first", mode="overwrite")
    any_lake.put("key", b"second", mode="overwrite")

    assert any_lake.get("key") == b"second"


def test_of_many_that_create_one_key_one_succeeds(any_lake: Lake) -> None:
    outcomes: list[str] = []

    def create(name: str) -> None:
        try:
            any_lake.put("contested", name.encode(), mode="create")
        except LakeObjectExistsError:
            return
        outcomes.append(name)

    threads = [threading.Thread(target=create, args=(f"writer {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 1
    assert any_lake.get("contested").decode() == outcomes[0]


def test_a_missing_object_is_named(any_lake: Lake) -> None:
    with pytest.raises(LakeObjectMissingError) as caught:
        any_lake.get("no/such")

    assert caught.value.key == "no/such"
    assert any_lake.url in str(caught.value)
    assert any_lake.find("no/such") is None


def test_keys_are_listed_in_order_from_a_position_on(any_lake: Lake) -> None:
    for key in ("p/b/2", "p/a/1", "p/c", "p/b/1", "pq/not", "q"):
        any_lake.put(key, b"", mode="create")

    assert any_lake.list_keys("p") == ["p/a/1", "p/b/1", "p/b/2", "p/c"]
    assert any_lake.list_keys("p/b") == ["p/b/1", "p/b/2"]
    assert any_lake.list_keys("p", after="p/b/1") == ["p/b/2", "p/c"]
    assert any_lake.list_keys("p", after="p/b") == ["p/b/1", "p/b/2", "p/c"]
    assert any_lake.list_keys("p", after="p/c") == []
    assert any_lake.list_keys("nothing") == []


def test_more_keys_than_a_page_of_s3_holds_are_listed(s3_lake_url: str) -> None:
    keys = [f"many/{number:04d}" for number in range(1050)]
    server = get_backend("s3")["123456789012"]["global"]
    for key in reversed(keys):
        server.put_object(S3_BUCKET, f"{urlsplit(s3_lake_url).path[1:]}/{key}", b"")
    lake = Lake(s3_lake_url)

    assert lake.list_keys("many") == keys
    assert lake.list_keys("many", after="many/0999") == keys[1000:]


def test_subdirectories_are_one_level_deep(any_lake: Lake) -> None:
    for key in ("p/dt=2/hr=1/x", "p/dt=1/hr=1/x", "p/dt=1/hr=2/x", "p/file"):
        any_lake.put(key, b"", mode="create")

    assert any_lake.subdirectories("p") == ["p/dt=1", "p/dt=2"]
    assert any_lake.subdirectories("p/dt=1") == ["p/dt=1/hr=1", "p/dt=1/hr=2"]
    assert any_lake.subdirectories("nothing") == []


def test_deleting_leaves_the_others_and_forgives_what_is_gone(any_lake: Lake) -> None:
    for key in ("p/1", "p/2", "p/3"):
        any_lake.put(key, b"", mode="create")

    any_lake.delete(["p/1", "p/3", "p/never"])

    assert any_lake.list_keys("p") == ["p/2"]
    assert any_lake.find("p/1") is None


def test_a_deleted_key_is_free_again(any_lake: Lake) -> None:
    any_lake.put("key", b"first", mode="create")
    any_lake.delete(["key"])

    any_lake.put("key", b"second", mode="create")

    assert any_lake.get("key") == b"second"


def test_a_second_client_sees_the_same_objects(any_lake: Lake) -> None:
    any_lake.put("key", b"x", mode="create")

    assert Lake(any_lake.url).get("key") == b"x"


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

    with pytest.raises(LakeAccessError, match=r"refused access to 'key'.*Check the credentials"):
        lake.put("key", b"", mode="create")


def test_a_remote_lake_has_no_directory(any_lake: Lake) -> None:
    assert (any_lake.directory is None) == any_lake.url.startswith("s3://")


def test_a_bucket_that_is_not_there_is_an_error_of_the_lake(s3_lake_url: str) -> None:
    lake = Lake(s3_lake_url.replace("s3://feedback", "s3://no-such-bucket"))

    with pytest.raises((LakeObjectMissingError, LakeUnavailableError, LakeAccessError)):
        lake.put("key", b"", mode="overwrite")


def test_an_s3_lake_without_credentials_says_so(
    s3_lake_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(InvalidSettingError, match="only with AWS credentials"):
        Lake(s3_lake_url)
