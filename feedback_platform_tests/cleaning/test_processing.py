from __future__ import annotations

import io
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from feedback_platform.cleaning.configuration import default_rules, parse_rules
from feedback_platform.cleaning.kept_rules import kept_rules
from feedback_platform.cleaning.processing import (
    CleaningOutcome,
    clean_new,
    refit_reference,
)
from feedback_platform.cleaning.reference import BEGINNING, load_references
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.batches import BatchManifest
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cleaning.lines import HOUR, event, ndjson

RULES = default_rules()


def _land(lake: Lake, name: str, value: float | None, *, hours: int = 0, uses: int = 1) -> str:
    lines: list[dict[str, Any] | bytes] = [
        event(f"{name}-{number}", "item_used", value=value) for number in range(uses)
    ]
    return write_raw_object(
        lake,
        received_at=HOUR + timedelta(hours=hours),
        source="web",
        sortable_id=name,
        ndjson=ndjson(*lines),
    )


def _clean(lake: Lake) -> CleaningOutcome:
    return clean_new(lake, RULES, is_sweep=False)


def _values(lake: Lake, manifest: BatchManifest) -> list[float]:
    """Cleaned values, on the scale of the statistics."""
    content = io.BytesIO(lake.get(manifest.clean_objects[0]))
    return [math.log1p(value) for value in pl.read_parquet(content)["cleaned_value"]]


def test_with_nothing_new_nothing_happens(lake: Lake) -> None:
    outcome = _clean(lake)

    assert (outcome.manifests, outcome.rows, outcome.objects) == ((), 0, 0)
    assert load_references(lake) == []


def test_the_first_reference_is_fitted_once_and_for_all_time_before(lake: Lake) -> None:
    _land(lake, "a", math.expm1(2), uses=30)
    first = _clean(lake)
    _land(lake, "b", math.expm1(9), hours=1, uses=300)
    missing = _land(lake, "c", None, hours=1)
    second = _clean(lake)

    (reference,) = load_references(lake)
    assert reference.effective_from == BEGINNING
    assert reference.rows == 30
    assert (first.objects, first.rows, first.clean) == (1, 30, 30)
    assert (first.quarantined, first.duplicates) == (0, 0)
    assert second.manifests[0].raw_objects[-1] == missing
    assert _values(lake, second.manifests[0])[-1] == pytest.approx(2)


def test_the_same_event_counts_once_in_a_fit(lake: Lake) -> None:
    for hour in range(3):
        lines = [event(f"e{n}", "item_used", value=1) for n in range(30)]
        write_raw_object(
            lake,
            received_at=HOUR + timedelta(hours=hour),
            source="web",
            sortable_id="1",
            ndjson=ndjson(*lines),
        )
    _clean(lake)

    assert load_references(lake)[0].statistics[0].count == 30


def test_a_refit_takes_effect_only_for_what_is_received_later(lake: Lake) -> None:
    _land(lake, "a", math.expm1(2), uses=30)
    _clean(lake)
    _land(lake, "b", math.expm1(4), hours=2, uses=300)
    _clean(lake)

    refitted = refit_reference(lake, RULES, now=HOUR + timedelta(hours=2, minutes=20))

    assert refitted.effective_from == HOUR + timedelta(hours=3)
    assert len(load_references(lake)) == 2
    _land(lake, "before", None, hours=2)
    _land(lake, "later", None, hours=3)
    before, later = _clean(lake).manifests
    assert _values(lake, before) == [pytest.approx(2)]
    assert _values(lake, later) == [pytest.approx(4)]
    assert later.reference_version == refitted.version


def test_a_refit_leaves_no_cleaned_hour_with_two_versions(lake: Lake) -> None:
    _land(lake, "a", 1.0, uses=30, hours=5)
    _clean(lake)

    # The clock of the one who fits is behind that of the one who received.
    refitted = refit_reference(lake, RULES, now=HOUR)

    assert refitted.effective_from == HOUR + timedelta(hours=6)


def test_of_two_refits_within_an_hour_the_second_counts_in_the_end(lake: Lake) -> None:
    _land(lake, "a", 1.0, uses=30)
    _clean(lake)
    first = refit_reference(lake, RULES, now=HOUR)
    _land(lake, "b", 2.0, uses=30)

    second = refit_reference(lake, RULES, now=HOUR)

    assert second.effective_from == first.effective_from + timedelta(hours=1)
    assert load_references(lake)[-1] == second


def test_without_recent_events_there_is_nothing_to_fit_on(lake: Lake) -> None:
    with pytest.raises(InvalidInputError, match="Nothing has been received"):
        refit_reference(lake, RULES, now=datetime(2026, 3, 1, tzinfo=UTC))


def test_other_rules_apply_to_what_is_new_and_to_what_is_reprocessed(lake: Lake) -> None:
    _land(lake, "a", 1.0, uses=30)
    missing = _land(lake, "b", None)
    (before,) = _clean(lake).manifests
    other = parse_rules('[signals.use]\nevent_type = "item_used"\nimpute = 7', origin="test")

    _land(lake, "c", None)
    (after,) = clean_new(lake, other, is_sweep=False).manifests
    (again,) = reprocess(lake, other, first=HOUR.date(), last=HOUR.date()).manifests

    assert _versions(lake, before) == {RULES.version}
    assert _values(lake, before)[-1] == pytest.approx(math.log(2))
    assert _versions(lake, after) == _versions(lake, again) == {other.version}
    assert _values(lake, after) == [pytest.approx(math.log(8))]
    assert _values(lake, again)[-2:] == [pytest.approx(math.log(8))] * 2
    assert missing in again.raw_objects
    assert [kept_rules(lake, rules.version) for rules in (RULES, other)] == [RULES, other]


def _versions(lake: Lake, manifest: BatchManifest) -> set[str]:
    rows = pl.read_parquet(io.BytesIO(lake.get(manifest.clean_objects[0])))
    return set(rows["rules_version"])


def test_a_refit_and_another_file_change_nothing_that_is_clean(lake: Lake) -> None:
    _land(lake, "a", math.expm1(2), uses=30)
    _clean(lake)
    before = {key: lake.get(key) for key in lake.list_keys("clean")}

    refit_reference(lake, RULES, now=HOUR)
    clean_new(lake, parse_rules("[bots]", origin="test"), is_sweep=True)

    assert {key: lake.get(key) for key in lake.list_keys("clean")} == before
