from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.freezes import Freeze, freeze
from feedback_platform.learning.model_version import ModelVersion
from feedback_platform.orchestration.champion_choice import ChampionConfig, choose_champion
from feedback_platform_tests.learning.registered import MODEL, promote, register

NOW: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


@pytest.fixture
def two(lake: Lake) -> list[ModelVersion]:
    """Two versions; the second took the place of the first."""
    versions = [register(lake, hour=hour) for hour in range(2)]
    for version in versions:
        promote(lake, version)
    return versions


def choose(lake: Lake, **config: Any) -> tuple[str, str]:
    choose_champion(lake, ChampionConfig(**config), request="a run", now=NOW)
    newest = champions.history(lake, MODEL)[-1]
    return newest.version, newest.reason


def test_as_it_is_launched_the_job_changes_no_champion(lake: Lake, two: list[ModelVersion]) -> None:
    assert choose(lake) == (two[1].version, "better")
    assert len(champions.history(lake, MODEL)) == 2


def test_a_version_is_promoted_for_a_reason(lake: Lake, two: list[ModelVersion]) -> None:
    asked = {"promote": two[0].version, "reason": " nicer lists "}

    assert choose(lake, **asked) == (two[0].version, "nicer lists")
    assert choose(lake, **asked) == (two[0].version, "nicer lists")


def test_while_promotion_is_frozen_only_a_rollback_changes_the_champion(
    lake: Lake, two: list[ModelVersion]
) -> None:
    now = datetime.now(UTC)
    freeze(lake, MODEL, Freeze("drift", now, now + timedelta(days=1), "dwell changed."))

    with pytest.raises(InvalidInputError, match="is not promoted now"):
        choose(lake, promote=two[0].version, reason="nicer lists")
    assert choose(lake, roll_back=True, reason="complaints")[0] == two[0].version


def test_a_rollback_leads_to_the_champion_before(lake: Lake, two: list[ModelVersion]) -> None:
    again = {"roll_back": True, "reason": "complaints"}
    expected = (two[0].version, f"Rolled back from {two[1].version}: complaints")
    once = {"roll_back_from": two[1].version, "reason": "complaints"}

    assert choose(lake, **again) == expected
    assert choose(lake, **again) == expected
    assert choose(lake, **once) == expected


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"promote": "v", "roll_back": True, "reason": "x"}, "promote or roll_back, not both"),
        ({"promote": "v", "model": "nosuch", "reason": "x"}, "no model 'nosuch'; the models are"),
        ({"promote": "v", "reason": " "}, "Say why, in reason"),
        ({"roll_back": True}, "Say why, in reason"),
        ({"promote": "v", "reason": "x"}, "no version 'v'"),
    ],
)
def test_what_means_nothing_is_refused_and_changes_nothing(
    lake: Lake, two: list[ModelVersion], config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        choose(lake, **config)
    assert champions.history(lake, MODEL)[-1].version == two[1].version
