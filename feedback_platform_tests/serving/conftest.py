from __future__ import annotations

from collections.abc import Iterator

import pytest

from feedback_platform_tests.serving.running import RunningServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that everybody may send to; the tests of a module share it."""
    with running_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def fresh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with an empty lake."""
    with running_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running
