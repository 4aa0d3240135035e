from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning.freezes import (
    Freeze,
    PromotionFrozenError,
    freeze,
    freezes,
    refuse_while_frozen,
    standing,
    unfreeze,
)
from feedback_platform_tests.learning.registered import MODEL, NOON, promote, register

THREE_DAYS = Freeze("drift-a1", NOON, NOON + timedelta(days=3), "dwell changed.")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def test_before_any_freeze_everything_may_be_promoted(lake: Lake) -> None:
    assert standing(lake, MODEL, NOON) is None
    refuse_while_frozen(lake, MODEL, "v2", NOON)


def test_a_freeze_stands_until_its_time_is_over(lake: Lake) -> None:
    assert freeze(lake, MODEL, THREE_DAYS)

    assert standing(lake, MODEL, NOON + timedelta(days=3, seconds=-1)) == THREE_DAYS
    assert standing(lake, MODEL, NOON + timedelta(days=3)) is None


def test_a_cause_freezes_once_even_when_a_person_ended_it(lake: Lake) -> None:
    freeze(lake, MODEL, THREE_DAYS)
    later = NOON + timedelta(hours=1)

    assert unfreeze(lake, MODEL, at=later, reason="repaired") == [THREE_DAYS]
    assert not freeze(lake, MODEL, THREE_DAYS)

    assert standing(lake, MODEL, later) is None
    (kept,) = freezes(lake, MODEL)
    assert (kept.ended_at, kept.ended_because) == (later, "repaired")
    assert unfreeze(lake, MODEL, at=later, reason="again") == []


def test_of_several_the_longest_is_told(lake: Lake) -> None:
    longer = Freeze("drift-a2", NOON, NOON + timedelta(days=9), "ratings changed.")
    for each in (longer, THREE_DAYS):
        freeze(lake, MODEL, each)

    assert standing(lake, MODEL, NOON) == longer


def test_nobody_promotes_another_version_but_the_champion_may_be_published_again(
    lake: Lake,
) -> None:
    version = register(lake, hour=0)
    promote(lake, version)
    freeze(lake, MODEL, THREE_DAYS)

    with pytest.raises(PromotionFrozenError, match=r"dwell changed\. If you know better, run"):
        refuse_while_frozen(lake, MODEL, "another", NOON)
    refuse_while_frozen(lake, MODEL, version.version, NOON)
