from __future__ import annotations

import math
from datetime import date, timedelta

import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new, refit_reference
from feedback_platform.cleaning.reprocessing import reprocess, reprocess_days
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.batches import BatchConflictError, manifests_after, pending_objects
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cleaning.busy_lake import COMMITTING, READING, BusyLake
from feedback_platform_tests.cleaning.lines import HOUR
from feedback_platform_tests.cleaning.test_processing import _clean, _land, _values

RULES = default_rules()
FIRST = HOUR.date()


def on_day(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.fixture
def three_days(lake: Lake) -> list[str]:
    landed = [_land(lake, f"{number}", 1.0, hours=24 * number) for number in range(3)]
    _clean(lake)
    return landed


def test_reprocessing_replaces_with_the_newest_reference(lake: Lake) -> None:
    first = _land(lake, "a", math.expm1(2), uses=30)
    missing = _land(lake, "b", None)
    _clean(lake)
    other_day = _land(lake, "c", math.expm1(4), hours=24, uses=300)
    _clean(lake)
    refitted = refit_reference(lake, RULES, now=HOUR + timedelta(hours=25))
    not_yet_clean = _land(lake, "d", None)

    (manifest,) = reprocess(lake, RULES, first=date(2026, 3, 1), last=date(2026, 3, 1)).manifests

    assert manifest.raw_objects == [first, missing]
    assert other_day not in manifest.raw_objects
    assert not_yet_clean not in manifest.raw_objects
    assert manifest.is_reprocessing
    assert manifest.reference_version == refitted.version
    assert _values(lake, manifest)[-1] == pytest.approx(4)


def test_a_reversed_period_is_refused(lake: Lake) -> None:
    with pytest.raises(InvalidInputError, match="from 2026-03-02 to 2026-03-01 ends before"):
        reprocess(lake, RULES, first=date(2026, 3, 2), last=date(2026, 3, 1))


def test_a_period_in_which_nothing_was_cleaned_is_refused(lake: Lake) -> None:
    _land(lake, "a", 1.0)

    with pytest.raises(InvalidInputError, match=r"Nothing that was received .* is clean yet"):
        reprocess(lake, RULES, first=date(2026, 3, 1), last=date(2026, 3, 1))


@pytest.mark.parametrize("moment", [READING, COMMITTING])
def test_what_others_reprocessed_meanwhile_is_not_replaced_unseen(
    lake: Lake, moment: tuple[str, str]
) -> None:
    _land(lake, "a", 1)
    _clean(lake)
    day = HOUR.date()
    busy = BusyLake(lake.url, moment, lambda: reprocess(lake, RULES, first=day, last=day))

    with pytest.raises(BatchConflictError, match="meanwhile, in batch 2"):
        reprocess(busy, RULES, first=day, last=day)

    assert [manifest.sequence for manifest in manifests_after(lake, 0)] == [1, 2]


def test_days_are_committed_one_after_another(lake: Lake, three_days: list[str]) -> None:
    days = reprocess_days(lake, RULES, first=on_day(0), last=on_day(9))

    for number, day in enumerate(days):
        assert (day.day, day.done, day.objects) == (on_day(number), number + 1, 3)
        assert [m.raw_objects for m in day.outcome.manifests] == [[three_days[number]]]
        assert len(manifests_after(lake, 0)) == 2 + number


def test_a_backfill_that_is_stopped_keeps_its_days_and_is_started_again_with_the_rest(
    lake: Lake, three_days: list[str]
) -> None:
    days = reprocess_days(lake, RULES, first=on_day(0), last=on_day(2))
    next(days)

    reprocess(lake, RULES, first=on_day(1), last=on_day(2))

    assert [m.raw_objects[0] for m in manifests_after(lake, 1)] == three_days


def test_what_is_live_is_cleaned_between_the_days(lake: Lake, three_days: list[str]) -> None:
    del three_days
    committed = []
    for number, day in enumerate(reprocess_days(lake, RULES, first=on_day(0), last=on_day(2))):
        _land(lake, f"live{number}", 1.0, hours=24 * number)
        outcome = clean_new(lake, RULES, is_sweep=True)
        committed += [*day.outcome.manifests, *outcome.manifests]

    assert [m.sequence for m in committed] == [2, 3, 4, 5, 6, 7]
    assert [m.is_reprocessing for m in committed] == [True, False] * 3
    assert pending_objects(lake, is_sweep=True) == []


def test_what_others_cleaned_during_an_earlier_day_is_no_conflict(
    lake: Lake, three_days: list[str]
) -> None:
    days = reprocess_days(lake, RULES, first=on_day(0), last=on_day(2))
    next(days)
    reprocess(lake, RULES, first=on_day(1), last=on_day(1))

    rest = [day.outcome.manifests[0].raw_objects for day in days]

    assert rest == [[three_days[1]], [three_days[2]]]
