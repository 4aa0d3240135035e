from __future__ import annotations

import dagster as dg
import pytest

from feedback_platform_tests.installation import Installation


@pytest.fixture(scope="session")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """What Dagster loads; loaded once, because it takes seconds."""
    return Installation(tmp_path_factory.mktemp("definitions") / "data").definitions
