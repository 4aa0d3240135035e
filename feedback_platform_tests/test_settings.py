from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.errors import InvalidSettingError, PermanentError
from feedback_platform.settings import checked_lake_url, dagster_environment, load_settings


def test_without_any_variable_everything_lies_under_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings(environment={})

    assert settings.data_dir == tmp_path / "data"
    assert settings.lake_url == (tmp_path / "data" / "lake").as_uri()
    assert settings.warehouse_path == tmp_path / "data" / "warehouse" / "warehouse.duckdb"
    assert settings.published_path == tmp_path / "data" / "published" / "feedback.duckdb"
    assert settings.dagster_home == tmp_path / "data" / "dagster"
    assert settings.dbt_target_dir == tmp_path / "data" / "dbt"
    assert settings.cache_dir == tmp_path / "data" / "cache"


def test_an_empty_variable_counts_as_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings(environment={"FEEDBACK_DATA_DIR": "", "FEEDBACK_LAKE_URL": ""})

    assert settings == load_settings(environment={})


def test_the_variable_names_the_data_directory(tmp_path: Path) -> None:
    environment = {"FEEDBACK_DATA_DIR": str(tmp_path / "here")}

    assert load_settings(environment=environment).data_dir == tmp_path / "here"


def test_the_option_wins_over_the_variable(tmp_path: Path) -> None:
    environment = {"FEEDBACK_DATA_DIR": str(tmp_path / "variable")}

    settings = load_settings(tmp_path / "option", environment)

    assert settings.data_dir == tmp_path / "option"


def test_the_process_environment_is_read_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FEEDBACK_LAKE_URL", "s3://bucket")

    assert load_settings().lake_url == "s3://bucket"
    assert load_settings().data_dir == tmp_path


def test_a_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    settings = load_settings(environment={"FEEDBACK_DATA_DIR": "~/feedback"})

    assert settings.data_dir == tmp_path / "feedback"


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
        ("gs://bucket/a/b", "gs://bucket/a/b"),
        ("file:///srv/lake", "file:///srv/lake"),
        ("/srv/my lake", "file:///srv/my%20lake"),
    ],
)
def test_a_lake_url_has_one_normal_form(url: str, normal: str) -> None:
    assert checked_lake_url(url) == normal


def test_a_relative_lake_directory_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert checked_lake_url("lake") == (tmp_path / "lake").as_uri()


@pytest.mark.parametrize("url", ["ftp://host/lake", "s3://", "s3:///prefix", "gs:bucket"])
def test_a_bad_lake_url_names_the_variable_and_what_it_accepts(url: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        load_settings(environment={"FEEDBACK_LAKE_URL": url})

    assert caught.value.name == "FEEDBACK_LAKE_URL"
    assert caught.value.value == url
    assert str(caught.value) == (
        f"FEEDBACK_LAKE_URL is {url!r}, but it accepts "
        "a directory, or a URL such as s3://bucket/prefix or gs://bucket/prefix."
    )


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(InvalidSettingError, match=r"FEEDBACK_DATA_DIR is .* accepts a directory"):
        load_settings(environment={"FEEDBACK_DATA_DIR": str(file)})


def test_a_bad_setting_is_not_worth_a_retry() -> None:
    assert issubclass(InvalidSettingError, PermanentError)


def test_dagster_gets_the_same_settings(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"FEEDBACK_LAKE_URL": "s3://bucket"})

    environment = dagster_environment(settings)

    assert load_settings(environment=environment) == settings
    assert environment["DAGSTER_HOME"] == str(tmp_path / "dagster")
    assert "PATH" in environment
