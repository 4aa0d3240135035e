from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.model_version import Lineage
from feedback_platform.learning.version_table import VERSIONS_SCHEMA, versions
from feedback_platform_tests.learning.registered import (
    MODEL,
    NOON,
    promote,
    register,
    tear,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def rows(lake: Lake) -> list[dict[str, Any]]:
    return versions(lake, MODEL).to_dicts()


def test_without_versions_the_table_has_its_columns(lake: Lake) -> None:
    assert versions(lake, MODEL).schema == pl.Schema(VERSIONS_SCHEMA)
    assert rows(lake) == []


def test_the_life_of_versions(lake: Lake) -> None:
    first, second, third = (register(lake, hour=hour) for hour in range(3))
    promote(lake, first)
    champions.reject(lake, MODEL, second.version, at=NOON, reason="worse")
    champions.reject(lake, MODEL, second.version, at=NOON, reason="worse again")
    assert [row["status"] for row in rows(lake)] == ["champion", "rejected", "candidate"]

    promote(lake, third, "best so far", hour=2)

    found = versions(lake, MODEL)
    assert found.schema == pl.Schema(VERSIONS_SCHEMA)
    assert found.select("version", "status", "reason", "promoted_at").rows() == [
        (first.version, "retired", "better", NOON),
        (second.version, "rejected", "worse", None),
        (third.version, "champion", "best so far", third.trained_at),
    ]


def test_a_rollback_is_the_reason_of_both_versions_until_one_is_promoted_again(lake: Lake) -> None:
    first, second = register(lake), register(lake, hour=1)
    promote(lake, first)
    promote(lake, second)

    champions.roll_back(lake, MODEL, at=NOON, reason="complaints")

    why = f"Rolled back from {second.version}: complaints"
    assert [(row["status"], row["reason"]) for row in rows(lake)] == [
        ("champion", why),
        ("retired", why),
    ]

    promote(lake, second, "it was not the model")

    assert [(row["status"], row["reason"]) for row in rows(lake)] == [
        ("retired", why),
        ("champion", "it was not the model"),
    ]


def test_a_row_tells_what_a_version_was_made_from_and_what_was_said_of_it(lake: Lake) -> None:
    decision = {"is_promoted": True, "findings": [{"name": "popularity"}]}
    register(lake, lineage=Lineage(NOON, 7, "0.1.0+abc", "v0"), decision=decision)

    (row,) = rows(lake)

    assert json.loads(row["metrics"]) == {"ndcg_at_10": 0.13, "silhouette": None}
    assert json.loads(row["parameters"]) == {"epochs": 15}
    assert json.loads(row["decision"]) == decision
    assert (row["data_cut"], row["data_through"]) == (NOON, 7)
    assert (row["code_version"], row["compared_with"]) == ("0.1.0+abc", "v0")
    assert (row["trained_at"], row["trigger"], row["reason"]) == (NOON, "schedule", "nightly")


def test_the_champion_is_what_is_in_use_and_the_torn_one_says_so(lake: Lake) -> None:
    first, second = register(lake), register(lake, hour=1)
    promote(lake, first, "good")
    promote(lake, second, "better")
    tear(lake, second)

    good, torn = rows(lake)

    assert (good["status"], torn["status"]) == ("champion", "retired")
    assert good["reason"].startswith(f"{second.version} is unusable: its file model.npz is missing")
    assert torn["reason"] == ("Unusable: its file model.npz is missing. Before: better")


def test_a_version_with_a_damaged_record_is_left_out(lake: Lake) -> None:
    first, second = register(lake), register(lake, hour=1)
    lake.put(f"models/{MODEL}/{first.version}/version.json", b"{", mode="overwrite")

    assert [row["version"] for row in rows(lake)] == [second.version]
