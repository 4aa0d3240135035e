from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_platform.cleaning.engines.polars import PolarsEngine
from feedback_platform.cleaning.engines.selection import chosen_engine
from feedback_platform.settings import load_settings
from feedback_platform.spark_session import SparkUnavailableError


def test_polars_is_there_without_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)

    assert isinstance(chosen_engine(load_settings(tmp_path, {})), PolarsEngine)


def test_spark_without_pyspark_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were not installed, wherever this runs.
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyspark"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyspark", None)

    with pytest.raises(SparkUnavailableError, match=r"pip install 'feedback-platform\[spark\]'"):
        chosen_engine(load_settings(tmp_path, {"FEEDBACK_ENGINE": "spark"}))


def test_where_spark_is_elsewhere_polars_cleans_what_has_to_be_cleaned_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    settings = load_settings(tmp_path, {"FEEDBACK_ENGINE": "spark"})

    engine = chosen_engine(replace(settings, spark_driver="emr-serverless"))

    assert isinstance(engine, PolarsEngine)
