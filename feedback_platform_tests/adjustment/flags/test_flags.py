"""Flags in memory, in a directory and in S3; then what is true of any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.errors import InvalidInputError, LakeUnavailableError
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.flags.conformance import FlagsConformance
from feedback_platform_tests.adjustment.flags.definitions import ADA, NOON, flag
from feedback_platform_tests.adjustment.flags.memory_store import MemoryStore


class TestInMemory(FlagsConformance):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestInADirectory(FlagsConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Lake:
        return Lake((tmp_path / "lake").as_uri())


class TestInS3(FlagsConformance):
    @pytest.fixture
    def store(self, s3_lake_url: str) -> Lake:
        return Lake(s3_lake_url)


def test_a_look_for_something_new_reads_one_object() -> None:
    store = MemoryStore()
    flags = Flags(store)
    for default in ("list", "cards", "grid"):
        flags.apply({"layout": flag(default=default)}, ADA)
    store.reads = 0
    flags.refresh()
    assert store.reads == 1


def test_where_the_store_fails_what_was_known_is_still_there() -> None:
    store = MemoryStore()
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
