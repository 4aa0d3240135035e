from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.cli.running import JobRunner
from feedback_platform.definitions import build_definitions
from feedback_platform.errors import InvalidInputError
from feedback_platform.orchestration.assets.adjusting import adjustments
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.settings import Settings, load_settings


@pytest.fixture
def mistaken(tmp_path: Path) -> Settings:
    """An installation in whose trigger rules there is a mistake."""
    path = tmp_path / "rules.toml"
    path.write_text("[[rule]]\n")
    return replace(load_settings(tmp_path / "data", {}), trigger_rules=path)


def test_a_mistake_in_the_rules_stops_the_rules_and_not_what_is_published_behind_them(
    mistaken: Settings,
) -> None:
    platform = PlatformResource.from_settings(mistaken)

    result = dg.materialize([adjustments], resources={"platform": platform})

    (made,) = result.asset_materializations_for_node("metrics__adjustments")
    assert made.metadata["dagster/row_count"].value == 0
    assert made.metadata["problems"].value == 1


def test_what_each_run_loads_does_not_mind_the_mistake_but_who_starts_to_process_is_told(
    mistaken: Settings,
) -> None:
    assert build_definitions(mistaken).assets

    with pytest.raises(InvalidInputError, match="did you mean 'rules'"):
        JobRunner(mistaken).process()
