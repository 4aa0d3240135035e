from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import SmallPlatform


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """The real dbt project, parsed once; each platform names its own warehouse file."""
    directory = tmp_path_factory.mktemp("dbt")
    return DbtProject(DBT_PROJECT_DIR, directory / "target", directory / "warehouse.duckdb")


@pytest.fixture
def platform(tmp_path: Path, project: DbtProject) -> SmallPlatform:
    return SmallPlatform.at(tmp_path, project)
