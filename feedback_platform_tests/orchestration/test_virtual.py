from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.virtual import platform_by
from feedback_platform.settings import load_settings

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def test_steps_are_told_the_time_of_the_clock_that_was_given(tmp_path: Path) -> None:
    platform = platform_by(lambda: NOON, load_settings(tmp_path, {}))

    @dg.asset
    def told(platform: PlatformResource) -> str:
        return platform.now().isoformat()

    result = dg.materialize([told], resources={"platform": platform})

    assert result.output_for_node("told") == NOON.isoformat()


def test_without_another_clock_it_is_that_of_this_machine(tmp_path: Path) -> None:
    platform = PlatformResource.from_settings(load_settings(tmp_path, {}))

    assert abs((platform.now() - datetime.now(UTC)).total_seconds()) < 60
