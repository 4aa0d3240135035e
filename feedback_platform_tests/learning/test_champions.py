from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from feedback_platform.errors import InvalidInputError, LakeUnavailableError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform_tests.learning.registered import (
    MODEL,
    NOON,
    corrupt,
    promote,
    register,
    tear,
)


class FailingLake(Lake):
    """A lake whose n-th write fails, before or after it took effect; 0 never fails."""

    def __init__(self, url: str, failing: int, *, is_stored: bool) -> None:
        super().__init__(url)
        self.failing = failing
        self.is_stored = is_stored
        self.writes = 0

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self.writes += 1
        if self.writes != self.failing:
            return super().put(key, data, mode=mode)
        if self.is_stored:
            super().put(key, data, mode=mode)
        raise LakeUnavailableError("The store did not answer.")


class RacingLake(Lake):
    """A lake in which somebody else acts just before our n-th write."""

    def __init__(self, url: str, before: int, act: Callable[[], object]) -> None:
        super().__init__(url)
        self.before = before
        self.act = act
        self.writes = 0

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self.writes += 1
        if self.writes == self.before:
            self.act()
        super().put(key, data, mode=mode)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


@pytest.fixture
def three(lake: Lake) -> list[ModelVersion]:
    """Three versions; each was promoted after the one before."""
    versions = [register(lake, hour=hour) for hour in range(3)]
    for version in versions:
        promote(lake, version)
    return versions


def champion(lake: Lake) -> str | None:
    version = champions.champion(lake, MODEL)
    return version.version if version else None


def roll_back(lake: Lake, leaving: str = "") -> tuple[str, bool]:
    return champions.roll_back(lake, MODEL, at=NOON, reason="complaints", leaving=leaving)


def test_before_the_first_promotion_there_is_no_champion(lake: Lake) -> None:
    register(lake)

    assert champion(lake) is None
    assert champions.in_use(lake, MODEL) == champions.InUse(None, {})
    with pytest.raises(InvalidInputError, match=r"no champion .* `feedback-platform train`"):
        roll_back(lake)


def test_the_version_that_was_promoted_last_is_the_champion_and_is_in_use(
    lake: Lake, three: list[ModelVersion]
) -> None:
    assert champions.champion(lake, MODEL) == three[2]
    assert champions.in_use(lake, MODEL) == champions.InUse(three[2], {})
    assert champions.in_use(lake, MODEL).warning is None


def test_promoting_the_champion_again_keeps_its_first_reason(lake: Lake) -> None:
    version = register(lake)
    promote(lake, version, "first")
    promote(lake, version, "again")

    assert [entry.reason for entry in champions.history(lake, MODEL)] == ["first"]


def test_a_version_that_there_is_not_is_named_with_the_one_that_was_meant(
    lake: Lake, three: list[ModelVersion]
) -> None:
    misspelt = three[1].version[:-1] + "x"

    with pytest.raises(
        InvalidInputError, match=rf"no version '{misspelt}'; did you mean 20.* models list --model"
    ):
        champions.promote(lake, MODEL, misspelt, at=NOON, reason="better")


def test_a_rejected_version_may_still_be_promoted_by_a_person(lake: Lake) -> None:
    version = register(lake)
    champions.reject(lake, MODEL, version.version, at=NOON, reason="worse")

    promote(lake, version)

    assert champion(lake) == version.version


def test_a_champion_is_never_rejected(lake: Lake, three: list[ModelVersion]) -> None:
    for version in three:
        with pytest.raises(InvalidInputError, match="is or was the champion"):
            champions.reject(lake, MODEL, version.version, at=NOON, reason="no")


def test_each_rollback_leads_further_back_until_there_is_none(
    lake: Lake, three: list[ModelVersion]
) -> None:
    first, second, third = (version.version for version in three)

    assert [roll_back(lake), roll_back(lake)] == [(second, True), (first, True)]
    assert [entry.reason for entry in champions.history(lake, MODEL)][-2:] == [
        f"Rolled back from {third}: complaints",
        f"Rolled back from {second}: complaints",
    ]
    with pytest.raises(InvalidInputError, match=rf"no intact champion before {first}\. Promote"):
        roll_back(lake)
    assert champion(lake) == first


def test_a_rollback_from_a_named_version_happens_once(
    lake: Lake, three: list[ModelVersion]
) -> None:
    assert roll_back(lake, three[2].version) == (three[1].version, True)
    assert roll_back(lake, three[2].version) == (three[1].version, False)
    assert champion(lake) == three[1].version


def test_a_request_that_is_tried_again_leads_no_further_back(
    lake: Lake, three: list[ModelVersion]
) -> None:
    def attempt(request: str) -> tuple[str, bool]:
        return champions.roll_back(lake, MODEL, at=NOON, reason="complaints", request=request)

    assert attempt("run 1") == (three[1].version, True)
    assert attempt("run 1") == (three[1].version, False)
    assert attempt("run 2") == (three[0].version, True)


def test_a_rollback_from_what_was_never_the_champion_is_refused(
    lake: Lake, three: list[ModelVersion]
) -> None:
    other = register(lake, hour=9).version

    with pytest.raises(
        InvalidInputError, match=rf"{other} was never .* the champion is {three[2].version}"
    ):
        roll_back(lake, other)


def test_a_rollback_passes_over_a_version_that_is_torn(
    lake: Lake, three: list[ModelVersion]
) -> None:
    tear(lake, three[1])

    assert roll_back(lake) == (three[0].version, True)


def test_after_a_rollback_a_new_version_is_promoted_as_ever(
    lake: Lake, three: list[ModelVersion]
) -> None:
    roll_back(lake)
    promote(lake, fourth := register(lake, hour=3))

    assert champion(lake) == fourth.version
    assert roll_back(lake) == (three[1].version, True)


@pytest.mark.parametrize("damage", [tear, corrupt])
@pytest.mark.parametrize("file", ["model.npz", "parameters.json", "version.json"])
def test_a_torn_champion_gives_way_to_the_last_good_one_with_a_warning(
    lake: Lake, three: list[ModelVersion], damage: object, file: str
) -> None:
    assert callable(damage)
    damage(lake, three[2], file)

    used = champions.in_use(lake, MODEL)

    assert used.version == three[1]
    assert list(used.unusable) == [three[2].version]
    assert file in used.unusable[three[2].version]
    assert used.warning is not None
    assert used.warning.endswith(f"In use instead is {three[1].version}, the last good one.")


def test_a_champion_whose_files_are_back_is_in_use_again(
    lake: Lake, three: list[ModelVersion]
) -> None:
    key = f"models/{MODEL}/{three[2].version}/model.npz"
    content = lake.get(key)
    lake.delete([key])
    assert champions.in_use(lake, MODEL).version == three[1]

    lake.put(key, content, mode="create")

    assert champions.in_use(lake, MODEL) == champions.InUse(three[2], {})


def test_what_was_rolled_back_from_is_the_last_to_fall_back_on(
    lake: Lake, three: list[ModelVersion]
) -> None:
    roll_back(lake)
    tear(lake, three[1])
    assert champions.in_use(lake, MODEL).version == three[0]

    tear(lake, three[0])
    assert champions.in_use(lake, MODEL).version == three[2]

    tear(lake, three[2])
    nothing = champions.in_use(lake, MODEL)
    assert nothing.version is None
    assert str(nothing.warning).endswith("promote a version, or train.")


@pytest.mark.parametrize("damage", [tear, corrupt])
def test_a_torn_version_is_never_promoted(lake: Lake, damage: object) -> None:
    assert callable(damage)
    version = register(lake)
    damage(lake, version)

    with pytest.raises(ModelUnusableError, match=r"model\.npz (is missing|has changed)"):
        promote(lake, version)
    assert champion(lake) is None


def test_a_damaged_pointer_is_named(lake: Lake) -> None:
    for content in (b"{}", b"{", b'{"history": [{"version": "v"}]}'):
        lake.put(f"models/{MODEL}/champion.json", content, mode="overwrite")
        with pytest.raises(ModelUnusableError, match=rf"Remove models/{MODEL}/champion\.json"):
            champions.in_use(lake, MODEL)


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_failing_write_leaves_the_old_champion_or_the_new_one(
    tmp_path: Path, *, is_stored: bool
) -> None:
    for failing in range(1, 20):
        url = (tmp_path / str(failing)).as_uri()
        sound = Lake(url)
        old = register(sound)
        promote(sound, old)
        broken = FailingLake(url, failing, is_stored=is_stored)
        try:
            promote(broken, register(broken, hour=1))
            # Four files, version.json, the promotion, champion.json.
            assert broken.writes == 7
            assert failing == 8
        except LakeUnavailableError:
            current = champions.in_use(sound, MODEL)
            assert current.version is not None
            assert current.unusable == {}
            is_new = failing == 7 or (is_stored and failing == 6)
            assert (current.version == old) is not is_new
        else:
            return
        # The same run again completes what was begun.
        new = register(sound, hour=1)
        promote(sound, new)
        assert champions.champion(sound, MODEL) == new
        assert registry.version_ids(sound, MODEL) == [old.version, new.version]
    pytest.fail("some write is missing from this test")


@pytest.mark.parametrize("before", [1, 2])
def test_a_rollback_beside_a_promotion_is_decided_upon_it(
    lake: Lake, three: list[ModelVersion], before: int
) -> None:
    """Whether it comes before our promotion is written or before `champion.json` is."""
    fourth = register(lake, hour=3)
    racing = RacingLake(lake.url, before, lambda: promote(lake, fourth))

    left_for = roll_back(racing)

    versions = [entry.version for entry in champions.history(lake, MODEL)]
    first_three = [version.version for version in three]
    second, third = first_three[1:]
    if before == 1:
        # The fourth was there first, and so it is the one that is rolled back from.
        assert left_for == (third, True)
        assert versions == [*first_three, fourth.version, third]
    else:
        assert left_for == (second, True)
        assert versions == [*first_three, second, fourth.version]
    pointer = json.loads(lake.get(f"models/{MODEL}/champion.json"))
    assert [entry["version"] for entry in pointer["history"]] == versions
    assert pointer["version"] == versions[-1]


def test_what_was_decided_about_another_champion_is_refused(
    lake: Lake, three: list[ModelVersion]
) -> None:
    fourth = register(lake, hour=3)
    first, _, third = (version.version for version in three)
    racing = RacingLake(lake.url, 1, lambda: promote(lake, fourth))

    with pytest.raises(
        champions.ChampionChangedError, match=rf"is {fourth.version} and not {third}: another was"
    ):
        champions.promote(racing, MODEL, first, at=NOON, reason="worse", instead_of=third)

    assert champion(lake) == fourth.version


def test_the_first_of_two_first_versions_stays_for_who_expected_none(lake: Lake) -> None:
    first, second = register(lake), register(lake, hour=1)
    racing = RacingLake(lake.url, 1, lambda: promote(lake, first))

    with pytest.raises(champions.ChampionChangedError, match="and there was none"):
        champions.promote(racing, MODEL, second.version, at=NOON, reason="", instead_of="")

    assert champion(lake) == first.version


def test_of_many_at_once_each_decision_is_in_the_history(lake: Lake) -> None:
    versions = [register(lake, hour=hour) for hour in range(8)]

    def promoted(version: ModelVersion) -> bool:
        own = Lake(lake.url)
        return champions.promote(own, MODEL, version.version, at=NOON, reason="at once")

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(promoted, versions))

    history = [entry.version for entry in champions.history(lake, MODEL)]
    assert sorted(history) == sorted(version.version for version in versions)
    pointer = json.loads(lake.get(f"models/{MODEL}/champion.json"))
    assert [entry["version"] for entry in pointer["history"]] == history


def test_a_lake_of_before_the_ledger_goes_on_from_its_pointer(
    lake: Lake, three: list[ModelVersion]
) -> None:
    key = f"models/{MODEL}/champion.json"
    pointer = json.loads(lake.get(key))
    del pointer["sequence"]
    lake.delete(lake.list_keys(f"models/{MODEL}/promotions"))
    lake.put(key, json.dumps(pointer).encode(), mode="overwrite")

    assert champions.champion(lake, MODEL) == three[2]
    promote(lake, fourth := register(lake, hour=3))
    assert roll_back(lake) == (three[2].version, True)
    versions = [*(version.version for version in three), fourth.version, three[2].version]
    assert [entry.version for entry in champions.history(lake, MODEL)] == versions


def test_a_release_of_before_the_ledger_may_write_the_pointer_and_nothing_counts_twice(
    lake: Lake, three: list[ModelVersion]
) -> None:
    """During an upgrade by turns, or back and forth: it keeps what it read, without a number."""
    fourth, fifth = (register(lake, hour=hour) for hour in (3, 4))
    key = f"models/{MODEL}/champion.json"
    pointer = json.loads(lake.get(key))
    entry = {**pointer["history"][-1], "version": fourth.version, "reason": "by the older one"}
    older = {"version": fourth.version, "history": [*pointer["history"], entry]}
    lake.put(key, json.dumps(older).encode(), mode="overwrite")

    assert champion(lake) == fourth.version
    promote(lake, fifth)
    expected = [version.version for version in (*three, fourth, fifth)]
    assert [entry.version for entry in champions.history(lake, MODEL)] == expected
    assert [entry["version"] for entry in json.loads(lake.get(key))["history"]] == expected
    assert roll_back(lake) == (fourth.version, True)


@pytest.mark.parametrize("act", [champion, roll_back])
def test_a_damaged_promotion_is_named_and_without_it_one_is_promoted(
    lake: Lake, three: list[ModelVersion], act: Callable[[Lake], object]
) -> None:
    key = f"models/{MODEL}/promotions/000000000004.json"
    lake.put(key, b'{"entry": "promoted"}', mode="create")

    with pytest.raises(ModelUnusableError, match=rf"000000000004\.json is damaged.*Remove {key}"):
        act(lake)

    lake.delete([key])
    promote(lake, three[0])
    assert champion(lake) == three[0].version


def test_what_is_damaged_under_a_race_is_named_as_well(
    lake: Lake, three: list[ModelVersion]
) -> None:
    key = f"models/{MODEL}/promotions/000000000004.json"
    racing = RacingLake(lake.url, 1, lambda: lake.put(key, b"{", mode="create"))

    with pytest.raises(ModelUnusableError, match=f"Remove {key}"):
        promote(racing, three[0])


def test_without_its_pointer_the_history_is_read_from_the_promotions(
    lake: Lake, three: list[ModelVersion]
) -> None:
    history = champions.history(lake, MODEL)
    lake.delete([f"models/{MODEL}/champion.json"])

    assert champions.history(lake, MODEL) == history
    assert champions.champion(lake, MODEL) == three[2]


def test_a_version_that_is_forgotten_stays_so_without_the_pointer(
    lake: Lake, three: list[ModelVersion]
) -> None:
    champions.forget(lake, MODEL, three[2].version)
    assert champion(lake) == three[1].version

    lake.delete([f"models/{MODEL}/champion.json"])
    assert champion(lake) == three[1].version

    for version in three[:2]:
        champions.forget(lake, MODEL, version.version)
    assert champions.history(lake, MODEL) == []
    assert champion(lake) is None
