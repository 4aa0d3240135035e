"""How many batches a run takes in that is to take a portion, and what readers see of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
import pytest

from feedback_platform.cleaning import task
from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.micro_batch import Portion
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake.batches import pending_objects
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.orchestration.assets import transformation
from feedback_platform.orchestration.assets.cleaning import clean_events
from feedback_platform.orchestration.jobs import PROCESS
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.schedules import portion_config
from feedback_platform.warehouse.loading import stage_batches
from feedback_platform_tests.installation import Installation

RECEIVED_AT = datetime(2026, 1, 7, 12, tzinfo=UTC)
EVENT = b'{"event_id":"%s","event_type":"item_viewed","user_id":"u","item_id":"i"}\n'


def land_one(installation: Installation, name: str, *, hours: int) -> None:
    """A raw object of one event."""
    write_raw_object(
        installation.lake,
        received_at=RECEIVED_AT + timedelta(hours=hours),
        source="test",
        sortable_id=name,
        ndjson=EVENT % name.encode(),
    )


def clean_one(installation: Installation, name: str, *, hours: int) -> None:
    """A batch of its own, of one event."""
    land_one(installation, name, hours=hours)
    clean_new(installation.lake, default_rules(), is_sweep=False)


def shown(installation: Installation) -> set[str]:
    """Which of those events readers see."""
    found = installation.query("select event_id from interaction.interactions where user_id = 'u'")
    return set(found["event_id"])


def test_a_portion_is_shown_by_itself_but_never_less_than_was_shown_before(
    copy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformation, "stage_batches", partial(stage_batches, rows=1))
    for hours, name in enumerate(("a", "b")):
        clean_one(copy, name, hours=hours)
    before = copy.query("from interaction.interactions").height

    copy.run(PROCESS, portion_config())

    assert shown(copy) == {"a"}
    shutil.rmtree(copy.settings.warehouse_path.parent)

    # It is built anew, a batch at a time, up to what readers know already, and no further.
    copy.run(PROCESS, portion_config())

    assert shown(copy) == {"a"}
    assert copy.query("from interaction.interactions").height == before + 1


@pytest.mark.parametrize(("warehouse", "left"), [("duckdb", 2), ("spark", 0)])
def test_a_backlog_is_cleaned_whole_where_each_run_builds_every_table(
    copy: Installation, monkeypatch: pytest.MonkeyPatch, warehouse: str, left: int
) -> None:
    monkeypatch.setattr(task, "PORTION", Portion(objects=1, size=1 << 20))
    for hours, name in enumerate(("a", "b", "c")):
        land_one(copy, name, hours=hours)
    settings = replace(copy.settings, warehouse=warehouse)

    done = dg.materialize(
        [clean_events],
        resources={"platform": PlatformResource.from_settings(settings)},
        run_config={"ops": {"clean_events": {"config": {"portion": True}}}},
    )

    assert done.success
    assert len(pending_objects(copy.lake)) == left
