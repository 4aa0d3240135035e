from __future__ import annotations

import json

import pytest

from feedback_platform.cli.scenario_run import live_through
from feedback_platform.scenario.definition_file import load_scenario
from feedback_platform.settings import load_settings
from feedback_platform_tests.scenario.test_definition_file import SHORT

# In short: scenario/.
pytestmark = pytest.mark.slow


def test_all_that_the_short_scenario_expects_is_found(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = load_settings(tmp_path_factory.mktemp("scenario") / "data", {})

    found, facts = live_through(load_scenario(SHORT), settings)

    assert facts["days"] == 28
    assert [each.name for each in found] == [
        "the experiment finds the planted uplift",
        "drift detection notices the taste shift",
        "retraining wins engagement back",
        "the gate stops the bad model",
        "the quarantine shows the broken client",
    ]
    refuted = [each.found for each in found if not each.is_held]
    assert refuted == [], json.dumps(refuted)
