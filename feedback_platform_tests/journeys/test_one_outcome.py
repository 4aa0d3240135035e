"""Where the lake lies, and how often a run was killed: the tables are the same."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.settings import Settings
from feedback_platform_tests.installation import Installation, differences

# In short: warehouse/test_loading.py and warehouse/test_transformation.py.
pytestmark = pytest.mark.slow

# Long enough for a loaded machine to import everything and get to the instant of the kill.
PATIENCE = 180.0
COMMAND = (sys.executable, "-c", "from feedback_platform.cli import main; main()", "process")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = Installation(tmp_path_factory.mktemp("undisturbed") / "data")
    _simulate(installation)
    installation.process()
    return installation


def test_a_lake_on_s3_gives_the_same_tables_and_keeps_the_models(
    undisturbed: Installation, s3_lake_url: str, tmp_path: Path
) -> None:
    remote = Installation(tmp_path / "data", s3_lake_url)
    _simulate(remote)

    remote.process()

    assert differences(undisturbed.tables(), remote.tables()) == []
    assert not (tmp_path / "data" / "lake").exists()

    version = remote.train()["models/recommender"]["version"].value

    assert f"models/recommender/{version}/version.json" in remote.lake.list_keys("models")
    assert remote.query("from ml.recommendations").height > 0


def test_a_run_that_was_killed_at_any_instant_is_made_up_for(
    undisturbed: Installation, tmp_path: Path
) -> None:
    killed = Installation(tmp_path / "data")
    _simulate(killed)
    for is_time in (_cleaning_writes, _dbt_builds, _publishing_writes):
        _kill_when(is_time, killed.settings)
        assert not killed.settings.published_path.exists()

    killed.process()

    assert differences(undisturbed.tables(), killed.tables()) == []
    assert _statuses(killed) == ["FAILURE", "FAILURE", "FAILURE", "SUCCESS"]


def _simulate(installation: Installation) -> None:
    installation.simulate(users=100, days=3)


def _cleaning_writes(settings: Settings) -> bool:
    return any((settings.data_dir / "lake" / "clean").rglob("*.parquet"))


def _dbt_builds(settings: Settings) -> bool:
    return any((settings.dbt_target_dir / "run").rglob("interactions.sql"))


def _publishing_writes(settings: Settings) -> bool:
    return any((settings.published_path.parent / "tables").rglob("*.parquet"))


def _kill_when(is_time: Callable[[Settings], bool], settings: Settings) -> None:
    command = [*COMMAND, "--data-dir", str(settings.data_dir)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and not is_time(settings) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
        _, errors = process.communicate()
    assert process.returncode == -9, errors.decode()


def _statuses(installation: Installation) -> list[str]:
    with dg.DagsterInstance.from_config(str(installation.settings.dagster_home)) as instance:
        return sorted(run.status.value for run in instance.get_runs())
