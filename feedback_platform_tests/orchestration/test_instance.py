from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from feedback_platform.errors import InvalidSettingError
from feedback_platform.orchestration.instance import instance_configuration, prepare_home
from feedback_platform.settings import PROJECT_DIR, load_settings

DATABASE = "postgresql://dagster@db:5433/runs?sslmode=verify-full"


def configured(data_dir: Path, **environment: str) -> dict[str, Any]:
    found = yaml.safe_load(instance_configuration(load_settings(data_dir, environment)))
    assert isinstance(found, dict)
    return found


def test_without_settings_it_is_the_file_that_ships(tmp_path: Path) -> None:
    shipped = (PROJECT_DIR / "dagster.yaml").read_text("utf-8")

    assert instance_configuration(load_settings(tmp_path, {})) == shipped


@pytest.mark.parametrize(
    ("environment", "launcher"),
    [({}, "WarmRunLauncher"), ({"FEEDBACK_RUN_LAUNCHER": "dagster"}, "DefaultRunLauncher")],
)
def test_runs_are_forked_unless_the_settings_want_dagsters_way(
    tmp_path: Path, environment: dict[str, str], launcher: str
) -> None:
    settings = load_settings(tmp_path, environment)
    prepare_home(settings)

    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert type(instance.run_launcher).__name__ == launcher


def test_a_launcher_of_the_file_takes_the_place_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("run_launcher: {module: dagster, class: DefaultRunLauncher}\n")

    found = configured(tmp_path, FEEDBACK_DAGSTER_CONFIG=str(file))

    assert found["run_launcher"] == {"module": "dagster", "class": "DefaultRunLauncher"}


def test_a_database_takes_the_place_of_the_files_and_leaves_the_rest(tmp_path: Path) -> None:
    shipped = yaml.safe_load((PROJECT_DIR / "dagster.yaml").read_text("utf-8"))

    found = configured(tmp_path, FEEDBACK_DAGSTER_DATABASE_URL=DATABASE)

    # SQLAlchemy's own choice of a driver would be another one than dagster-postgres brings.
    url = DATABASE.replace("postgresql", "postgresql+psycopg2")
    assert found == {**shipped, "storage": {"postgres": {"postgres_url": url}}}


def test_sections_of_a_file_take_the_place_of_those_that_ship(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("concurrency: {runs: {max_concurrent_runs: 9}}\n")

    found = configured(tmp_path, FEEDBACK_DAGSTER_CONFIG=str(file))

    assert found["concurrency"] == {"runs": {"max_concurrent_runs": 9}}
    assert found["run_retries"]["max_retries"] == 2


def test_a_storage_of_the_file_is_not_contradicted(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("storage: {postgres: {postgres_url: {env: RUNS}}}\n")

    found = configured(
        tmp_path, FEEDBACK_DAGSTER_CONFIG=str(file), FEEDBACK_DAGSTER_DATABASE_URL=DATABASE
    )

    assert found["storage"] == {"postgres": {"postgres_url": {"env": "RUNS"}}}


@pytest.mark.parametrize("content", [b"- a list", b"{", b"\xff", b"", None])
def test_a_file_that_is_not_made_of_sections_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "own.yaml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidSettingError, match=r"FEEDBACK_DAGSTER_CONFIG is '.*own.yaml'"):
        configured(tmp_path, FEEDBACK_DAGSTER_CONFIG=str(file))


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://logs/dagster/steps", "logs", "dagster/steps"),
        ("s3://logs/it's: {a} *prefix", "logs", "it's: {a} *prefix"),
        ("s3://logs", "logs", "dagster"),  # Dagster's own default
    ],
)
def test_what_steps_print_goes_to_the_bucket_of_the_settings(
    tmp_path: Path, url: str, bucket: str, prefix: str
) -> None:
    _, configuration = compute_logs(tmp_path, {"FEEDBACK_COMPUTE_LOGS_URL": url})

    assert configuration["bucket"] == bucket
    assert configuration.get("prefix", "dagster") == prefix
    assert Path(configuration["local_dir"]).is_relative_to(tmp_path)


def test_what_steps_print_stays_on_the_machine_without_a_bucket(tmp_path: Path) -> None:
    name, _ = compute_logs(tmp_path, {})

    assert name == "LocalComputeLogManager"


def compute_logs(data_dir: Path, environment: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The class and the configuration by which Dagster keeps what steps print."""
    settings = load_settings(data_dir, environment)
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        manager = instance.get_ref().compute_logs_data
    return manager.class_name, dict(manager.config_dict)
