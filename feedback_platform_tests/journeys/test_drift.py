from __future__ import annotations

import dagster as dg
import pytest

from feedback_platform.orchestration.sensors import drift_sensor
from feedback_platform_tests.installation import Installation

# In short: monitoring/test_streams.py and orchestration/test_sensors.py.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A product whose users want other things from the seventh day on."""
    installation = Installation(tmp_path_factory.mktemp("shifted") / "data")
    installation.simulate(users=500, days=12, taste_shift_day=6)
    installation.process()
    return installation


def test_a_shift_of_taste_is_noticed_after_it_happened(shifted: Installation) -> None:
    falls = shifted.query(
        "select stream, detected_at >= date '2026-01-11' as is_after from metrics.drift_events "
        "where before_mean > after_mean"
    )

    assert ("click_through", True) in falls.rows()
    assert falls["is_after"].all()


def test_drift_leads_to_one_training_that_says_why_it_took_place(shifted: Installation) -> None:
    platform = shifted.platform

    asked = drift_sensor(dg.build_sensor_context(resources={"platform": platform}))

    assert isinstance(asked, dg.SensorResult)
    (request,) = asked.run_requests or []
    assert request.run_key == f"drift-{request.tags['drift_event']}"

    shifted.run("train", request.run_config)

    versions = shifted.query("select model, trigger from ml.model_versions order by model")
    assert versions.rows() == [("recommender", "drift"), ("segments", "drift")]


def test_a_change_that_was_answered_is_not_found_again(shifted: Installation) -> None:
    before = shifted.query("from metrics.drift_events order by all")

    found = shifted.process()["metrics/drift_events"]["found now"].value

    assert found == 0
    assert shifted.query("from metrics.drift_events order by all").equals(before)
