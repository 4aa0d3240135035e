from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.lake.raw import list_raw_objects, write_raw_object
from feedback_platform.orchestration.checks import (
    clean_expectations,
    feedback_expectations,
    raw_expectations,
)
from feedback_platform_tests.installation import Installation

EVENT = b'{"event_id":"%d-%d","event_type":"item_liked","user_id":"u%d","item_id":"i"}\n'
# The last full hour; it stays one of the last 24 while the test runs.
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


def land(installation: Installation, received_at: datetime, events: int) -> str:
    day = received_at.toordinal()
    return write_raw_object(
        installation.lake,
        received_at=received_at,
        source="web",
        sortable_id="1",
        ndjson=b"".join(EVENT % (day, number, number) for number in range(events)),
    )


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A week with as many events each day at the same hour, and today a tenth of them."""
    installation = Installation(tmp_path_factory.mktemp("week") / "data")
    for days in range(1, 8):
        land(installation, HOUR - timedelta(days=days), events=120)
    land(installation, HOUR, events=12)
    installation.process()
    return installation


def outcome(check: dg.AssetChecksDefinition, installation: Installation) -> dg.AssetCheckResult:
    result = check(platform=installation.platform)
    assert isinstance(result, dg.AssetCheckResult)
    return result


def test_an_hour_with_far_less_than_usual_is_a_warning(week: Installation) -> None:
    result = outcome(raw_expectations, week)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["failed"].value == [
        "expect_column_values_to_be_between on of_usual: 1 of 1 rows, such as 0.1"
    ]
    assert result.metadata["looked at"].value == (
        f"1 of 1 raw objects, {HOUR:%Y-%m-%d %H:%M} to {HOUR:%Y-%m-%d %H:%M} UTC"
    )


def test_a_raw_object_that_cannot_be_read_is_an_error(week: Installation, tmp_path: Path) -> None:
    copy = week.copy_to(tmp_path / "data")
    newest = list_raw_objects(copy.lake)[-1]
    copy.lake.put(newest, b"not zstd", mode="overwrite")

    result = outcome(raw_expectations, copy)

    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert "is_readable: 1 of 1 rows" in (result.description or "")


@pytest.mark.parametrize(
    ("check", "layer"),
    [
        (raw_expectations, "raw"),
        (clean_expectations, "clean"),
        (feedback_expectations, "feedback"),
    ],
)
def test_each_result_says_where_its_data_docs_are(
    week: Installation, check: dg.AssetChecksDefinition, layer: str
) -> None:
    link = outcome(check, week).metadata["data docs"].value

    assert link == str(week.settings.data_dir / "quality" / layer / "index.html")
    assert Path(str(link)).is_file()


def test_all_feedback_being_explicit_is_a_warning_and_no_reason_to_stop(
    week: Installation,
) -> None:
    result = outcome(feedback_expectations, week)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "share of explicit feedback: 1, expected 0.001 to 0.9" in (result.description or "")
