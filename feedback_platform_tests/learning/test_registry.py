from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import Lineage, ModelUnusableError
from feedback_platform_tests.learning.registered import MODEL, NOON, corrupt, register, tear


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def test_a_registered_version_is_read_back_as_it_was(lake: Lake) -> None:
    version = register(lake, decision={"is_promoted": True, "findings": []})
    assert registry.read_version(lake, MODEL, version.version) == version
    assert registry.read_intact(lake, MODEL, version.version) == version
    assert registry.read_file(lake, version, "model.npz") == b"weights"
    assert json.loads(registry.read_file(lake, version, "parameters.json")) == {"epochs": 15}
    assert version.version.startswith("20260301T120000123Z-")
    assert len(version.version) == len("20260301T120000123Z-") + 6


def test_versions_sort_by_time_and_differ_by_content(lake: Lake) -> None:
    first, other, later = register(lake), register(lake, files={"m": b"y"}), register(lake, hour=1)
    assert len({first.version, other.version, later.version}) == 3
    assert max(first.version, other.version) < later.version
    assert registry.version_ids(lake, MODEL) == sorted(
        [first.version, other.version, later.version]
    )


def test_registering_the_same_again_changes_nothing(lake: Lake) -> None:
    assert register(lake) == register(lake)
    assert len(registry.version_ids(lake, MODEL)) == 1


def test_a_version_of_an_earlier_release_is_read_with_what_it_knows(lake: Lake) -> None:
    version = register(lake, lineage=Lineage(data_cut=NOON))
    key = f"models/{MODEL}/{version.version}/version.json"
    stored = json.loads(lake.get(key))
    del stored["lineage"], stored["decision"], stored["checksum"]
    lake.put(key, json.dumps({**stored, "data_cut": NOON.isoformat()}).encode(), mode="overwrite")

    read = registry.read_version(lake, MODEL, version.version)

    assert read == version
    assert (read.lineage, read.decision) == (Lineage(data_cut=NOON), None)


def test_what_a_later_release_wrote_beside_it_is_passed_over(lake: Lake) -> None:
    version = register(lake)
    key = f"models/{MODEL}/{version.version}/version.json"
    stored = json.loads(lake.get(key))
    stored["lineage"]["machine"] = "a"
    later = registry.signed({**stored, "colour": "red"})
    lake.put(key, json.dumps(later).encode(), mode="overwrite")

    assert registry.read_version(lake, MODEL, version.version) == version


def test_what_a_version_can_have_known_ends_with_its_training_or_its_data(lake: Lake) -> None:
    version = register(lake, hour=1)
    later = replace(version, lineage=Lineage(data_cut=NOON.replace(hour=20)))

    assert version.known_until == version.trained_at
    assert later.known_until == NOON.replace(hour=20)
    assert replace(version, lineage=Lineage()).known_until == version.trained_at


def test_a_version_without_its_record_does_not_count(lake: Lake) -> None:
    version = register(lake)
    tear(lake, version, "version.json")
    assert registry.version_ids(lake, MODEL) == []
    with pytest.raises(ModelUnusableError, match="not complete"):
        registry.read_version(lake, MODEL, version.version)


def test_a_file_that_is_missing_or_has_changed_is_named(lake: Lake) -> None:
    torn, corrupted = register(lake), register(lake, hour=1)
    tear(lake, torn)
    corrupt(lake, corrupted)

    with pytest.raises(ModelUnusableError, match=r"model\.npz is missing"):
        registry.read_intact(lake, MODEL, torn.version)
    with pytest.raises(ModelUnusableError, match=r"model\.npz has changed"):
        registry.read_intact(lake, MODEL, corrupted.version)
    with pytest.raises(ModelUnusableError, match=r"no file other\.npz"):
        registry.read_file(lake, torn, "other.npz")


def test_damaged_records_are_named(lake: Lake) -> None:
    version = register(lake)
    key = f"models/{MODEL}/{version.version}/version.json"
    for content in (b"{", b"[]", b"{}", b'{"trained_at": null}', b'{"lineage": 3}'):
        lake.put(key, content, mode="overwrite")
        with pytest.raises(ModelUnusableError, match=r"version\.json is damaged"):
            registry.read_version(lake, MODEL, version.version)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"../model.npz": b""}},
        {"files": {"version.json": b""}},
        {"metrics": {"ndcg_at_10": float("nan")}},
        {"parameters": {"x": object()}},
        {"decision": {"findings": float("inf")}},
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
    assert len(registry.version_ids(lake, "factor")) == 1
