from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.gate_rules import default_gate_rules
from feedback_platform.learning.model_health import stale_champion, unusable_champion
from feedback_platform.learning.version_table import versions
from feedback_platform_tests.learning.registered import MODEL, NOON, promote, register, tear

RULES = replace(default_gate_rules(), oldest_champion=timedelta(days=3), refusals=2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def stale(lake: Lake, days: float) -> list[str]:
    now = NOON + timedelta(days=days)
    return stale_champion(versions(lake, MODEL), MODEL, now=now, rules=RULES)


def refuse(lake: Lake, hour: int) -> None:
    version = register(lake, hour=hour)
    champions.reject(lake, MODEL, version.version, at=NOON, reason=f"worse at {hour}")


def test_before_the_first_model_nothing_is_old_or_torn(lake: Lake) -> None:
    assert stale(lake, days=99) == []
    assert unusable_champion(lake, MODEL) is None


def test_a_champion_is_old_once_the_time_of_the_rules_has_passed(lake: Lake) -> None:
    promote(lake, version := register(lake))

    assert stale(lake, days=3) == []
    (warning,) = stale(lake, days=3.1)
    assert warning == (
        f"The champion of the model {MODEL}, {version.version}, was trained 3.1 days ago; "
        "3 are the most."
    )


def test_the_age_is_that_of_what_is_in_use(lake: Lake) -> None:
    promote(lake, register(lake))
    promote(lake, newer := register(lake, hour=72))
    assert stale(lake, days=4) == []

    tear(lake, newer)

    assert len(stale(lake, days=4)) == 1


def test_refusals_in_a_row_are_told_with_the_newest_reason(lake: Lake) -> None:
    promote(lake, register(lake))
    refuse(lake, hour=1)
    assert stale(lake, days=1) == []

    refuse(lake, hour=2)

    assert stale(lake, days=1) == [
        f"The last 2 trainings of the model {MODEL} were refused, the newest because: worse at 2"
    ]


def test_a_model_that_is_accepted_ends_the_row_of_refusals(lake: Lake) -> None:
    for hour in (1, 2):
        refuse(lake, hour=hour)
    promote(lake, register(lake, hour=3))
    refuse(lake, hour=4)

    assert stale(lake, days=1) == []


def test_a_torn_champion_and_a_damaged_pointer_are_told(lake: Lake) -> None:
    promote(lake, version := register(lake))
    assert unusable_champion(lake, MODEL) is None

    tear(lake, version)
    assert "model.npz is missing" in str(unusable_champion(lake, MODEL))

    lake.put(f"models/{MODEL}/champion.json", b"{", mode="overwrite")
    assert "champion.json is damaged" in str(unusable_champion(lake, MODEL))
