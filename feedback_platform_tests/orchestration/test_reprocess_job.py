from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.orchestration.assets.reprocessing import DAYS, reprocessed_events
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform_tests.installation import Installation

LINE = b'{"event_id":"%s","event_type":"item_liked","user_id":"u","item_id":"i"}\n'


@pytest.fixture
def two_days(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "data")
    for day in (1, 2):
        write_raw_object(
            installation.lake,
            received_at=datetime(2026, 3, day, 12, tzinfo=UTC),
            source="web",
            sortable_id=f"{day}",
            ndjson=LINE % b"%d" % day + b"bad\n",
        )
    clean_new(installation.lake, default_rules(), is_sweep=True)
    return installation


def backfill(installation: Installation, day: str) -> dict[str, object]:
    """Execute one day, as a run of a backfill does; return the metadata of its partition."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [reprocessed_events],
            partition_key=day,
            resources={"platform": installation.platform},
            instance=instance,
        )
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.partition == day
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_a_day_is_cleaned_again_and_says_what_came_of_it(two_days: Installation) -> None:
    said = backfill(two_days, "2026-03-02")

    assert {name: said[name] for name in said if name != "reference"} == {
        "raw objects": 1,
        "lines": 2,
        "clean": 1,
        "quarantined": 1,
        "batches": [2],
    }
    (manifest,) = manifests_after(two_days.lake, 1)
    assert manifest.is_reprocessing
    assert manifest.raw_objects == ["raw/events/dt=2026-03-02/hr=12/web-2.ndjson.zst"]


def test_a_day_on_which_nothing_was_received_is_passed_over(two_days: Installation) -> None:
    assert backfill(two_days, "2026-02-28")["raw objects"] == 0
    assert len(manifests_after(two_days.lake, 0)) == 1


def test_today_can_be_chosen() -> None:
    assert f"{datetime.now(UTC):%Y-%m-%d}" in DAYS.get_partition_keys()


def test_a_backfill_takes_one_place_and_leaves_the_others_to_what_is_live(
    two_days: Installation,
) -> None:
    prepare_home(two_days.settings)

    with dg.DagsterInstance.from_config(str(two_days.settings.dagster_home)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.tag_concurrency_limits == [{"key": "dagster/backfill", "limit": 1}]
    assert queue.max_concurrent_runs > 1
