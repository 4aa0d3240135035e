from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.transformation import DbtProject


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """The real dbt project, parsed once; each platform names its own warehouse file."""
    directory = tmp_path_factory.mktemp("dbt")
    return DbtProject(DBT_PROJECT_DIR, directory / "target", directory / "warehouse.duckdb")
