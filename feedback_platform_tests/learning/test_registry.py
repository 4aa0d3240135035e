from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError, LakeUnavailableError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


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


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def register(lake: Lake, hour: int = 0, **changes: Any) -> ModelVersion:
    given: dict[str, Any] = {
        "files": {"model.npz": b"weights", "notes.txt": b"x"},
        "trained_at": NOON + timedelta(hours=hour),
        "trigger": "schedule",
        "metrics": {"ndcg_at_10": 0.13, "silhouette": None},
        "parameters": {"epochs": 15},
        "data_cut": NOON,
        "reason": "nightly",
    }
    return registry.register(lake, "factorisation", **{**given, **changes})


def promote(lake: Lake, version: ModelVersion, reason: str = "better") -> None:
    registry.promote(lake, version.model, version.version, at=NOON, reason=reason)


def statuses(lake: Lake) -> list[str]:
    return registry.versions(lake, "factorisation")["status"].to_list()


def test_a_registered_version_is_read_back_as_it_was(lake: Lake) -> None:
    version = register(lake)
    assert registry.read_version(lake, "factorisation", version.version) == version
    assert registry.read_file(lake, version, "model.npz") == b"weights"
    assert json.loads(registry.read_file(lake, version, "parameters.json")) == {"epochs": 15}
    assert version.version.startswith("20260301T120000123Z-")
    assert len(version.version) == len("20260301T120000123Z-") + 6


def test_versions_sort_by_time_and_differ_by_content(lake: Lake) -> None:
    first, other, later = register(lake), register(lake, files={"m": b"y"}), register(lake, hour=1)
    assert len({first.version, other.version, later.version}) == 3
    assert max(first.version, other.version) < later.version
    table = registry.versions(lake, "factorisation")
    assert table["version"].is_sorted()
    assert table.height == 3


def test_registering_the_same_again_changes_nothing(lake: Lake) -> None:
    assert register(lake) == register(lake)
    assert registry.versions(lake, "factorisation").height == 1


def test_the_life_of_versions(lake: Lake) -> None:
    assert registry.champion(lake, "factorisation") is None
    first, second, third = (register(lake, hour=hour) for hour in range(3))
    promote(lake, first)
    registry.reject(lake, "factorisation", second.version, at=NOON, reason="worse")
    assert statuses(lake) == ["champion", "rejected", "candidate"]
    promote(lake, third, "best so far")
    table = registry.versions(lake, "factorisation")
    assert table.schema == pl.Schema(registry.VERSIONS_SCHEMA)
    assert table["status"].to_list() == ["retired", "rejected", "champion"]
    assert table["reason"].to_list() == ["better", "worse", "best so far"]
    assert json.loads(table["metrics"][0]) == {"ndcg_at_10": 0.13, "silhouette": None}
    assert table["trained_at"][0] == NOON
    assert registry.champion(lake, "factorisation") == third


def test_rolling_back_is_promoting_the_earlier_version(lake: Lake) -> None:
    first, second = register(lake), register(lake, hour=1)
    promote(lake, first)
    promote(lake, second)
    promote(lake, first, "rolled back")
    table = registry.versions(lake, "factorisation")
    assert table["status"].to_list() == ["champion", "retired"]
    assert table["reason"].to_list() == ["rolled back", "better"]


def test_promoting_the_champion_again_keeps_its_first_reason(lake: Lake) -> None:
    version = register(lake)
    promote(lake, version, "first")
    promote(lake, version, "again")
    assert registry.versions(lake, "factorisation")["reason"].to_list() == ["first"]


def test_the_first_rejection_stays_and_a_champion_is_never_rejected(lake: Lake) -> None:
    version, best = register(lake), register(lake, hour=1)
    for reason in ("first", "again"):
        registry.reject(lake, "factorisation", version.version, at=NOON, reason=reason)
    assert registry.versions(lake, "factorisation")["reason"].to_list() == ["first", "nightly"]
    promote(lake, best)
    with pytest.raises(InvalidInputError, match="is or was the champion"):
        registry.reject(lake, "factorisation", best.version, at=NOON, reason="no")


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
            assert broken.writes == 6  # four files, version.json, champion.json
            assert failing == 7
        except LakeUnavailableError:
            current = registry.champion(sound, "factorisation")
            assert current is not None
            is_new = is_stored and failing == 6
            assert (current == old) is not is_new
            for file in current.files:
                registry.read_file(sound, current, file)
            assert statuses(sound)[0] == ("retired" if is_new else "champion")
        else:
            return
        # The same run again completes what was begun.
        new = register(sound, hour=1)
        promote(sound, new)
        assert registry.champion(sound, "factorisation") == new
        assert statuses(sound) == ["retired", "champion"]
    pytest.fail("some write is missing from this test")


def test_a_version_without_its_record_does_not_count(lake: Lake) -> None:
    version = register(lake)
    lake.delete([f"models/factorisation/{version.version}/version.json"])
    assert registry.versions(lake, "factorisation").is_empty()
    with pytest.raises(ModelUnusableError, match="not complete"):
        promote(lake, version)


@pytest.mark.parametrize("content", [None, b"weightS"])
def test_a_torn_model_is_never_promoted_or_read(lake: Lake, content: bytes | None) -> None:
    version = register(lake)
    key = f"models/factorisation/{version.version}/model.npz"
    lake.delete([key])
    if content:
        lake.put(key, content, mode="create")
    with pytest.raises(ModelUnusableError, match=r"model\.npz (is missing|has changed)"):
        promote(lake, version)
    assert registry.champion(lake, "factorisation") is None


def test_damaged_records_are_named(lake: Lake) -> None:
    version = register(lake)
    key = f"models/factorisation/{version.version}/version.json"
    for content in (b"{", b"[]", b"{}", b'{"data_cut": null}'):
        lake.put(key, content, mode="overwrite")
        with pytest.raises(ModelUnusableError, match=r"version\.json is damaged"):
            registry.read_version(lake, "factorisation", version.version)
    lake.put("models/factorisation/champion.json", b"{}", mode="overwrite")
    with pytest.raises(ModelUnusableError, match=r"Remove models/factorisation/champion\.json"):
        registry.champion(lake, "factorisation")


def test_a_file_that_was_never_registered_is_named(lake: Lake) -> None:
    with pytest.raises(ModelUnusableError, match=r"no file other\.npz"):
        registry.read_file(lake, register(lake), "other.npz")


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"../model.npz": b""}},
        {"files": {"version.json": b""}},
        {"metrics": {"ndcg_at_10": float("nan")}},
        {"parameters": {"x": object()}},
    ],
)
def test_what_cannot_be_stored_is_refused(lake: Lake, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        register(lake, **changes)
    assert lake.list_keys("models") == []


def test_models_with_similar_names_are_kept_apart(lake: Lake) -> None:
    register(lake)
    registry.register(
        lake, "factor", files={}, trained_at=NOON, trigger="t", metrics={}, parameters={}
    )
    assert registry.versions(lake, "factor").height == 1
