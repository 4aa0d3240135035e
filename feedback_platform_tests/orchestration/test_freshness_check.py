from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.lake.raw import write_raw_object
from feedback_platform.orchestration.freshness_check import layers_are_fresh
from feedback_platform_tests.installation import Installation


def outcome(installation: Installation) -> dg.AssetCheckResult:
    result = layers_are_fresh(platform=installation.platform)
    assert isinstance(result, dg.AssetCheckResult)
    return result


@pytest.mark.parametrize(("minutes", "passes"), [(5, True), (20, False)])
def test_what_waits_for_a_quarter_of_an_hour_is_a_warning(
    tmp_path: Path, minutes: int, *, passes: bool
) -> None:
    installation = Installation(tmp_path / "data")
    assert outcome(installation).passed
    written_at = datetime.now(UTC) - timedelta(minutes=minutes)
    key = write_raw_object(
        installation.lake, received_at=written_at, source="web", sortable_id="1", ndjson=b"{}\n"
    )
    assert installation.lake.directory is not None
    os.utime(installation.lake.directory / key, (written_at.timestamp(),) * 2)

    result = outcome(installation)

    assert (result.passed, result.severity) == (passes, dg.AssetCheckSeverity.WARN)
    assert result.metadata["raw objects waiting"].value == 1
    assert ("1 raw objects are not clean" in str(result.description)) == (not passes)
