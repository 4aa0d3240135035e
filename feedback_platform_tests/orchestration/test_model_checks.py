from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.learning import champions
from feedback_platform.orchestration.model_checks import champions_are_fresh, champions_are_intact
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.learning.registered import MODEL, promote, register, tear

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def outcome(check: dg.AssetChecksDefinition, installation: Installation) -> dg.AssetCheckResult:
    result = check(platform=installation.platform)
    assert isinstance(result, dg.AssetCheckResult)
    return result


def test_without_models_there_is_nothing_to_warn_of(installation: Installation) -> None:
    assert outcome(champions_are_intact, installation).passed
    assert outcome(champions_are_fresh, installation).passed


def test_a_torn_champion_is_an_error_that_names_what_is_served_instead(
    installation: Installation,
) -> None:
    first, second = register(installation.lake), register(installation.lake, hour=1)
    for version in (first, second):
        promote(installation.lake, version)
    tear(installation.lake, second)

    result = outcome(champions_are_intact, installation)

    assert (result.passed, result.severity) == (False, ERROR)
    assert f"In use instead is {first.version}" in str(result.description)


def test_a_champion_that_is_older_than_the_rules_allow_is_a_warning(
    installation: Installation, tmp_path: Path
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    promote(installation.lake, register(installation.lake, trained_at=yesterday))
    assert outcome(champions_are_fresh, installation).passed

    (tmp_path / "gate.toml").write_text("[freshness]\noldest_days = 0.5\n")
    strict = replace(installation.settings, gate_rules=tmp_path / "gate.toml")
    result = champions_are_fresh(platform=PlatformResource.from_settings(strict))

    assert isinstance(result, dg.AssetCheckResult)
    assert (result.passed, result.severity) == (False, WARN)
    assert "was trained 1.0 days ago; 0.5 are the most" in str(result.description)


def test_trainings_that_are_refused_again_and_again_are_a_warning(
    installation: Installation,
) -> None:
    now = datetime.now(UTC)
    for hours in range(3):
        version = register(installation.lake, trained_at=now + timedelta(hours=hours))
        champions.reject(installation.lake, MODEL, version.version, at=now, reason="worse")

    result = outcome(champions_are_fresh, installation)

    assert (result.passed, result.severity) == (False, WARN)
    assert f"The last 3 trainings of the model {MODEL} were refused" in str(result.description)
