from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from feedback_platform_tests.adjustment.rules.tables import Tables


@pytest.fixture
def tables() -> Iterator[Tables]:
    with duckdb.connect() as connection:
        yield Tables(connection)
