from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from feedback_platform.errors import LakeObjectMissingError, LakeUnavailableError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning.online.array_file import ArrayFile, write_arrays
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.publication import (
    ListsPointer,
    current_lists,
    erase_from_lists,
    local_lists,
    pointed_lists,
    publish_lists,
    withdraw_lists,
)
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform_tests.learning.online.world import MADE_AT, listed, opened, second, trained


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


def content(text: bytes, lake: Lake, minutes: int, **beside: bytes) -> str:
    def writes(text: bytes) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            path.write_bytes(text)

        return write

    versions = {version: writes(other) for version, other in beside.items()}
    return publish_lists(lake, writes(text), MADE_AT + timedelta(minutes=minutes), versions)


def pointer_of(lake: Lake) -> ListsPointer:
    pointer = pointed_lists(lake)
    assert pointer is not None
    return pointer


def test_the_newest_file_counts_and_those_before_it_stay_for_an_hour(lake: Lake) -> None:
    assert current_lists(lake) is None
    first, second_one = content(b"1", lake, 0), content(b"2", lake, 50)

    assert current_lists(lake) == second_one
    assert lake.list_keys(keys.online_lists()) == [first, second_one]
    third = content(b"3", lake, 70)
    assert lake.list_keys(keys.online_lists()) == [second_one, third]
    assert lake.get(third) == b"3"
    assert withdraw_lists(lake) == 2
    assert current_lists(lake) is None
    assert lake.list_keys("models") == []


def test_the_files_of_other_versions_come_and_go_with_the_champions(lake: Lake) -> None:
    first = content(b"1", lake, 0, v2=b"2", v3=b"3")
    pointer = pointer_of(lake)
    assert (pointer.key, current_lists(lake)) == (first, first)
    assert {version: lake.get(key) for version, key in pointer.versions.items()} == {
        "v2": b"2",
        "v3": b"3",
    }
    assert set(lake.list_keys(keys.online_lists())) == pointer.keys

    later = content(b"4", lake, 61)
    assert pointer_of(lake) == ListsPointer(later)
    assert lake.list_keys(keys.online_lists()) == [later]


def test_the_champions_do_not_wait_for_a_version_whose_lists_cannot_be_made(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Path) -> None:
        raise ValueError("a factor is not a number")

    key = publish_lists(lake, lambda path: path.touch(), MADE_AT, {"v2": fails, "v3": Path.touch})

    pointer = pointer_of(lake)
    assert (pointer.key, [*pointer.versions]) == (key, ["v3"])
    assert "The lists of the version v2 cannot be made." in caplog.text


def test_where_the_store_fails_for_a_version_what_counted_before_does_still(lake: Lake) -> None:
    def fails(_: Path) -> None:
        raise LakeUnavailableError("reading", "models", OSError("gone"))

    first = content(b"1", lake, 0)
    with pytest.raises(LakeUnavailableError):
        publish_lists(lake, lambda path: path.touch(), MADE_AT, {"v2": fails})
    assert current_lists(lake) == first


def test_copies_of_files_that_count_beside_stay(s3_lake_url: str, tmp_path: Path) -> None:
    lake = Lake(s3_lake_url)
    content(b"1", lake, 0, v2=b"2")
    pointer, copies = pointer_of(lake), tmp_path / "copies"
    for key in sorted(pointer.keys):
        local_lists(lake, key, copies, beside=pointer.keys)
    assert {path.read_bytes() for path in copies.iterdir()} == {b"1", b"2"}
    local_lists(lake, pointer.key, copies)
    assert [path.read_bytes() for path in copies.iterdir()] == [b"1"]


def test_a_file_from_elsewhere_is_copied_once_and_takes_the_place_of_others(
    s3_lake_url: str, tmp_path: Path
) -> None:
    lake = Lake(s3_lake_url)
    first = content(b"first", lake, 0)
    path = local_lists(lake, first, tmp_path / "copies")
    assert path.read_bytes() == b"first"

    newer = local_lists(lake, content(b"x" * 10, lake, 1), tmp_path / "copies")
    assert newer.read_bytes() == b"x" * 10
    assert list((tmp_path / "copies").iterdir()) == [newer]
    with pytest.raises(LakeObjectMissingError):
        local_lists(lake, first.replace("2026", "2025"), tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == [newer]


def test_a_file_without_some_users_answers_the_others_as_before(lake: Lake) -> None:
    trained(lake)
    listed(lake, MADE_AT - timedelta(minutes=1))
    _, before = listed(lake)
    click = [SessionEvent("item_clicked", "i020", None, second(5))]

    outcome = erase_from_lists(lake, {"u003", "zoe", "nobody"})

    assert outcome == (2, 2, 4)
    (key,) = lake.list_keys(keys.online_lists())
    assert current_lists(lake) == key
    assert b"u003" not in lake.get(key)
    after: OnlineLists = opened(lake)
    for user in ("u000", "u002", "u004", "u119", "max"):
        for session in ([], click):
            told = {"session": session, "now": second(9)}
            assert after.recommend(user, **told) == before.recommend(user, **told)  # type: ignore[arg-type]
    for user in ("u003", "zoe"):
        assert after.people.find(user) is None
    assert erase_from_lists(lake, {"u003"}) == (1, 0, 0)


def test_who_is_erased_leaves_the_lists_of_every_version(lake: Lake) -> None:
    trained(lake)
    listed(lake)
    (whole,) = lake.list_keys(keys.online_lists())
    lists = lake.get(whole)
    withdraw_lists(lake)
    content(lists, lake, 0, v2=lists, v3=b"damaged")

    assert erase_from_lists(lake, {"u003"}) == (3, 3, 2)

    pointer = pointer_of(lake)
    assert set(pointer.versions) == {"v2"}
    assert set(lake.list_keys(keys.online_lists())) == pointer.keys
    for key in pointer.keys:
        assert b"u003" not in lake.get(key)
        assert b"u004" in lake.get(key)


def test_a_damaged_file_is_deleted_with_whom_it_may_know(lake: Lake) -> None:
    content(b"no lists", lake, 0)
    assert erase_from_lists(lake, {"u003"}) == (1, 1, 0)
    assert lake.list_keys("models") == []


@pytest.mark.parametrize("part", ["cosines", "user_segments", "own_seconds"])
def test_a_file_whose_users_do_not_fit_together_is_deleted_with_whom_it_knows(
    lake: Lake, part: str
) -> None:
    trained(lake)
    listed(lake)
    (whole,) = lake.list_keys(keys.online_lists())
    file = ArrayFile.of(memoryview(lake.get(whole)), whole)
    withdraw_lists(lake)
    for arrays in (
        {name: array for name, array in file.arrays.items() if name != part},
        {**file.arrays, part: file.arrays[part][:1]},
    ):
        publish_lists(lake, partial(write_arrays, facts=file.facts, arrays=arrays), MADE_AT)
        assert erase_from_lists(lake, {"u003"}) == (1, 1, 0)
        assert current_lists(lake) is None
        assert lake.list_keys(keys.online_lists()) == []
