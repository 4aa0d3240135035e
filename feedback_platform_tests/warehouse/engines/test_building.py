from __future__ import annotations

import sys
from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.engines.adapters import AdapterMissingError, install_translation
from feedback_platform.warehouse.engines.building import WarehouseNotRunError, build_on
from feedback_platform.warehouse.engines.spark_sources import address_of
from feedback_platform.warehouse.transformation import DbtProject


def test_a_warehouse_that_only_compiles_is_refused_before_anything_is_touched(
    tmp_path: Path,
) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"as it was")
    project = DbtProject(DBT_PROJECT_DIR, tmp_path / "dbt", path)

    with pytest.raises(WarehouseNotRunError, match=r"'snowflake'.*duckdb or spark"):
        build_on(
            "snowflake",
            path,
            Lake(tmp_path.as_uri()),
            tmp_path / "scratch",
            engine_project=project,
            project=project,
            restore=lambda: None,
        )
    assert path.read_bytes() == b"as it was"


def test_a_missing_adapter_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if it were not installed, wherever this runs.
    monkeypatch.setitem(sys.modules, "dbt.adapters.spark.connections", None)

    with pytest.raises(AdapterMissingError, match=r"pip install 'feedback-platform\[spark\]'"):
        install_translation("spark")


def test_spark_finds_the_objects_of_a_bucket_by_the_name_that_hadoop_has_for_it() -> None:
    bucket = address_of("s3://bucket/some", "clean/a.parquet")
    directory = address_of("file:///data/my%20lake", "clean/a.parquet")

    assert bucket == "s3a://bucket/some/clean/a.parquet"
    assert directory == "/data/my lake/clean/a.parquet"
