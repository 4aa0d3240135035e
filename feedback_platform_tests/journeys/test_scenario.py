from __future__ import annotations

import json

import pytest

from feedback_platform.cli.scenario_run import live_through
from feedback_platform.scenario.definition_file import load_scenario
from feedback_platform.settings import load_settings
from feedback_platform_tests.scenario.test_definition_file import SHORT

# In short: scenario/.
pytestmark = pytest.mark.slow


def test_the_short_scenario_holds_in_all_its_findings(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = load_settings(tmp_path_factory.mktemp("scenario") / "data", {})

    found, facts = live_through(load_scenario(SHORT), settings)

    assert [each.name for each in found if not each.is_held] == [], json.dumps(
        [each.found for each in found], indent=1
    )
    assert len(found) == 5
    assert facts["days"] == 21
