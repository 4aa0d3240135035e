from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from feedback_platform_tests.installation import Installation


@pytest.fixture(scope="session")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """What Dagster loads; loaded once, because it takes seconds."""
    return Installation(tmp_path_factory.mktemp("definitions") / "data").definitions


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Some feedback, published; less than a first model needs."""
    installation = Installation(tmp_path_factory.mktemp("published") / "data")
    installation.simulate(users=60, days=2)
    installation.process()
    return installation


@pytest.fixture
def copy(published: Installation, tmp_path: Path) -> Installation:
    return published.copy_to(tmp_path / "data")
