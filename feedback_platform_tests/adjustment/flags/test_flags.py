"""Flags in memory, in a directory and in S3; then what is true of any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.errors import (
    InvalidInputError,
    LakeObjectExistsError,
    LakeUnavailableError,
)
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.flags.conformance import FlagsConformance
from feedback_platform_tests.adjustment.flags.definitions import ADA, NOON, flag


class Memory:
    """A store that counts what it is asked, and fails when told to."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.reads = 0
        self.is_failing = False

    def find(self, key: str) -> bytes | None:
        self.reads += 1
        if self.is_failing:
            raise LakeUnavailableError("away")
        return self.objects.get(key)

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        if mode == "create" and self.objects.setdefault(key, data) != data:
            raise LakeObjectExistsError(key, "memory")
        self.objects[key] = data

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        return sorted(k for k in self.objects if k.startswith(prefix) and k > (after or ""))


class TestInMemory(FlagsConformance):
    @pytest.fixture
    def store(self) -> Memory:
        return Memory()


class TestInADirectory(FlagsConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Lake:
        return Lake((tmp_path / "lake").as_uri())


class TestInS3(FlagsConformance):
    @pytest.fixture
    def store(self, s3_lake_url: str) -> Lake:
        return Lake(s3_lake_url)


def test_a_look_for_something_new_reads_one_object() -> None:
    store = Memory()
    flags = Flags(store)
    for default in ("list", "cards", "grid"):
        flags.apply({"layout": flag(default=default)}, ADA)
    store.reads = 0
    flags.refresh()
    assert store.reads == 1


def test_where_the_store_fails_what_was_known_is_still_there() -> None:
    store = Memory()
    flags, other = Flags(store), Flags(store)
    flags.apply({"layout": flag()}, ADA)
    store.is_failing = True
    with pytest.raises(LakeUnavailableError):
        flags.refresh()
    store.is_failing = False
    other.edit("layout", lambda old: with_default(old, "cards"), ADA)
    assert flags.refresh().flags["layout"].flag.default == "cards"


@pytest.mark.parametrize("by", ["ada", "person:", "robot:x", "person:a\nb", "person: a"])
def test_an_author_says_what_he_is_and_his_name(by: str) -> None:
    with pytest.raises(InvalidInputError, match="person:ada"):
        Author(by, "why", NOON)


def test_a_change_needs_a_reason() -> None:
    with pytest.raises(InvalidInputError, match="why"):
        Author("person:ada", " ", NOON)
