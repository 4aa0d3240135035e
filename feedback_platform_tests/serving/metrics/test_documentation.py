"""docs/operating.md has every metric, and none that does not exist."""

from __future__ import annotations

import re

import pytest

from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.serving.metrics.samples import Scrape
from feedback_platform_tests.serving.running import RunningServer

PAGE = (PROJECT_DIR / "docs" / "operating.md").read_text()
_NAME = r"(?:feedback|process)_[a-z_]*[a-z]"


@pytest.fixture
def names(server: RunningServer) -> set[str]:
    lines = Scrape(server).text.decode().splitlines()
    return {line.split()[2] for line in lines if line.startswith("# TYPE")}


def test_the_table_has_every_metric(names: set[str]) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(f"`({_NAME})`", row.split(" | ")[0])} == (
        names
    )


def test_the_alerts_ask_for_metrics_that_exist(names: set[str]) -> None:
    (block,) = re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)
    asked = {name.removesuffix("_bucket") for name in re.findall(rf"\b{_NAME}\b", block)}
    assert len(asked) >= 5
    assert asked <= names
