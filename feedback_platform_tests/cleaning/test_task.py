from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime

import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.quarantine import QuarantineFilter
from feedback_platform.cleaning.task import (
    CLEAN,
    QUARANTINED,
    REPROCESSED,
    CleaningTask,
    Metadata,
    carry_out,
)
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake

LINE = b'{"event_id":"%s","event_type":"item_liked","user_id":"u","item_id":"i"}\n'
DAY = date(2026, 3, 1)


def carried_out(lake: Lake, task: CleaningTask) -> dict[str, Metadata]:
    log = logging.getLogger(__name__)
    rules = default_rules()
    return carry_out(task, lake, rules, mapping=DEFAULT_MAPPING, engine=POLARS, log=log)


def land(lake: Lake, number: int, content: bytes) -> None:
    write_raw_object(
        lake,
        received_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        source="web",
        sortable_id=f"{number}",
        ndjson=content,
    )


@pytest.mark.parametrize(
    "task",
    [
        CleaningTask(),
        CleaningTask(is_sweep=True),
        CleaningTask(is_portion=True),
        CleaningTask(day=DAY),
        CleaningTask(replayed=QuarantineFilter()),
        CleaningTask(replayed=QuarantineFilter("missing_field", "web", DAY, date(2026, 3, 2))),
    ],
)
def test_a_task_is_the_same_in_another_process(task: CleaningTask) -> None:
    assert CleaningTask.read(json.loads(json.dumps(task.written()))) == task


def test_what_is_new_is_cleaned_once_and_counted(lake: Lake) -> None:
    land(lake, 1, LINE % b"a" + LINE % b"a" + LINE % b"b" + b"bad\n")

    made = carried_out(lake, CleaningTask(is_sweep=True))

    reference = made[CLEAN].pop("reference")
    assert isinstance(reference, str)
    assert made == {
        CLEAN: {
            "raw objects": 1,
            "lines": 4,
            "clean": 2,
            "batches": [1],
            "raw objects left to the next run": 0,
            "duplicates": 1,
            "erased": 0,
        },
        QUARANTINED: {"quarantined": 1, "share of lines": 0.25},
    }
    assert carried_out(lake, CleaningTask(is_sweep=True))[CLEAN]["raw objects"] == 0


def test_a_day_and_the_quarantine_are_taken_again(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    land(lake, 1, LINE % b"a" + b"bad\n")
    carried_out(lake, CleaningTask(is_sweep=True))

    with caplog.at_level(logging.INFO):
        again = carried_out(lake, CleaningTask(day=DAY))
        replayed = carried_out(lake, CleaningTask(replayed=QuarantineFilter()))

    assert {name: again[REPROCESSED][name] for name in ("lines", "clean", "quarantined")} == {
        "lines": 2,
        "clean": 1,
        "quarantined": 1,
    }
    # What nothing was corrected for stays as it is.
    assert replayed[CLEAN]["batches"] == []
    assert caplog.messages == [
        "2026-03-01: 2 lines cleaned again, in 1 batches",
        "1 lines replayed = 0 now clean + 1 still quarantined + 0 duplicates + 0 unreadable",
        "0 raw objects, 0 lines; 0 objects remain",
    ]
