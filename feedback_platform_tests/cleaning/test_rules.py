"""Rules against figures worked out by hand.

Reference, on ln(1 + value): median 3, mode 2.5, quartiles 2 and 4, mean 3, deviation 0.5, the first
and last percentile at 1 and 5.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from feedback_platform.cleaning.configuration import SignalRules, default_rules, parse_rules
from feedback_platform.cleaning.micro_batch import clean_objects
from feedback_platform.cleaning.reference import Reference
from feedback_platform_tests.cleaning.lines import REFERENCE, event, parsed


def _cleaned(
    line: dict[str, Any],
    rules: tuple[SignalRules, ...] = default_rules(),
    reference: Reference = REFERENCE,
) -> dict[str, Any]:
    """The one clean row of one line."""
    return clean_objects([parsed(line)], rules, reference).clean.row(0, named=True)


def _use(value: float | None, **fields: Any) -> dict[str, Any]:
    return event(event_type="item_used", value=value, **fields)


def _at(hour: int, minute: int) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("occurred", "sent", "corrected", "offset"),
    [
        ("09:00", "09:10", _at(9, 50), 3000.0),  # ten minutes old when it was sent
        ("11:00", "11:10", _at(9, 50), -4200.0),  # the same by a clock that is ahead
        ("09:20", "09:10", _at(10, 0), 3000.0),  # nothing happened after it was received
        ("09:00", None, _at(9, 0), None),
        ("10:30", None, _at(10, 0), None),
        (None, "09:10", _at(10, 0), 3000.0),
        (None, None, _at(10, 0), None),
    ],
)
def test_the_senders_clock_is_corrected(
    occurred: str | None, sent: str | None, corrected: datetime, offset: float | None
) -> None:
    times: dict[str, Any] = {
        name: f"2026-03-01T{text}:00Z" if text else None
        for name, text in (("occurred_at", occurred), ("sent_at", sent), ("received_at", "10:00"))
    }

    row = _cleaned(event(**times))

    assert row["occurred_at"] == corrected
    assert row["clock_offset_seconds"] == offset


def test_a_missing_value_becomes_the_median() -> None:
    row = _cleaned(_use(None))

    assert row["value"] is None
    assert row["cleaned_value"] == pytest.approx(math.expm1(3))
    assert (row["is_imputed"], row["imputation_rule"]) == (True, "median")
    assert row["normalised_value"] == pytest.approx(0.5)
    assert not row["is_outlier"]


@pytest.mark.parametrize(
    ("impute", "value", "rule"),
    [('"mode"', math.expm1(2.5), "mode"), ("7", 7.0, "constant"), ('"none"', None, None)],
)
def test_a_missing_value_may_become_something_else(
    impute: str, value: float | None, rule: str | None
) -> None:
    text = f'[use]\nevent_type = "item_used"\nscale = "log"\nimpute = {impute}'

    row = _cleaned(_use(None), parse_rules(text, origin="test"))

    assert row["cleaned_value"] == (None if value is None else pytest.approx(value))
    assert row["imputation_rule"] == rule
    assert row["is_imputed"] is (rule is not None)


def test_a_value_that_is_there_is_left_alone() -> None:
    row = _cleaned(_use(12.5))

    assert (row["value"], row["cleaned_value"]) == (12.5, 12.5)
    assert (row["is_imputed"], row["imputation_rule"]) == (False, None)
    assert (row["is_outlier"], row["outlier_rule"], row["outlier_bound"]) == (False, None, None)
    assert row["reference_version"] == "by-hand"
    assert row["signal"] == "use"


@pytest.mark.parametrize(
    ("event_type", "value", "bound", "rule"),
    [
        # Uses: two interquartile ranges above 4 are 8; 2 - 4 is below any value.
        ("item_used", math.expm1(8) * 1.001, math.expm1(8), "iqr"),
        ("item_used", math.expm1(8) * 0.999, None, None),
        ("item_used", 0, None, None),
        # Views: four deviations from 3 are 1 and 5.
        ("item_viewed", math.expm1(5) * 1.001, math.expm1(5), "z_score"),
        ("item_viewed", math.expm1(1) * 0.999, math.expm1(1), "z_score"),
        ("item_viewed", math.expm1(5) * 0.999, None, None),
    ],
)
def test_an_outlier_is_flagged_with_the_bound_that_it_crossed(
    event_type: str, value: float, bound: float | None, rule: str | None
) -> None:
    row = _cleaned(event(event_type=event_type, value=value))

    assert row["is_outlier"] is (bound is not None)
    assert row["outlier_rule"] == rule
    assert row["outlier_bound"] == (None if bound is None else pytest.approx(bound))
    assert row["cleaned_value"] == value


@pytest.mark.parametrize(
    ("value", "share"),
    [(math.expm1(1), 0.0), (math.expm1(2), 0.25), (math.expm1(5), 1.0), (0, 0.0), (1e9, 1.0)],
)
def test_min_max_is_the_share_of_the_way_from_low_to_high(value: float, share: float) -> None:
    row = _cleaned(_use(value))

    assert row["normalised_value"] == pytest.approx(share)
    assert row["normalisation_rule"] == "min_max"


@pytest.mark.parametrize(
    ("deviations", "below"), [(-2, 0.0228), (-1, 0.1587), (0, 0.5), (1, 0.8413), (2, 0.9772)]
)
def test_a_z_score_is_about_the_share_of_a_normal_distribution_below(
    deviations: int, below: float
) -> None:
    row = _cleaned(event(event_type="item_viewed", value=math.expm1(3 + 0.5 * deviations)))

    assert row["normalised_value"] == pytest.approx(1 / (1 + math.exp(-1.702 * deviations)))
    assert row["normalised_value"] == pytest.approx(below, abs=0.01)
    assert row["normalisation_rule"] == "z_score"


@pytest.mark.parametrize(("stars", "share"), [(0.5, 0.0), (2.75, 0.5), (5, 1.0)])
def test_ratings_go_from_half_a_star_to_five(stars: float, share: float) -> None:
    row = _cleaned(event(event_type="item_rated", value=stars))

    assert row["normalised_value"] == share


@pytest.mark.parametrize("event_type", ["item_used", "item_viewed"])
def test_where_all_values_are_alike_every_value_is_in_the_middle(event_type: str) -> None:
    flat = replace(
        REFERENCE,
        statistics=tuple(
            replace(s, low=3.0, high=3.0, deviation=0.0) for s in REFERENCE.statistics
        ),
    )

    row = _cleaned(event(event_type=event_type, value=math.expm1(3.5)), reference=flat)

    assert row["normalised_value"] == 0.5


@pytest.mark.parametrize("event_type", ["item_clicked", "item_liked", "item_converted"])
def test_a_signal_without_a_value_is_not_normalised(event_type: str) -> None:
    row = _cleaned(event(event_type=event_type))

    assert row["signal"] is not None
    assert (row["normalised_value"], row["normalisation_rule"]) == (None, None)


def test_without_a_reference_nothing_is_imputed_or_judged() -> None:
    nothing = Reference("nothing", REFERENCE.effective_from, 0, ())

    for value in (None, 1e12):
        row = _cleaned(_use(value), reference=nothing)
        assert row["cleaned_value"] == value
        assert (row["is_imputed"], row["is_outlier"]) == (False, False)
        assert row["normalised_value"] is None


def test_what_is_no_signal_has_no_rules() -> None:
    row = _cleaned(event(event_type="item_impression"))

    assert (row["signal"], row["normalised_value"], row["is_outlier"]) == (None, None, False)


@pytest.mark.parametrize(
    ("device", "category"),
    [
        ("desktop", "desktop"),
        ("Mobile", "mobile"),
        ("TABLET", "tablet"),
        ("smart fridge", "other"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_every_device_has_a_place(device: str | None, category: str) -> None:
    row = _cleaned(_use(None, device_type=device))

    assert row["device_category"] == category
    assert row["device_type"] == (device or None)
    assert row["is_imputed"]  # the reference has statistics for each of them


def test_a_device_is_measured_by_its_own_statistics() -> None:
    tablet = replace(
        REFERENCE,
        statistics=tuple(
            replace(s, median=2.0) if s.device == "tablet" else s for s in REFERENCE.statistics
        ),
    )

    on_tablet = _cleaned(_use(None, device_type="tablet"), reference=tablet)
    on_mobile = _cleaned(_use(None, device_type="mobile"), reference=tablet)

    assert on_tablet["cleaned_value"] == pytest.approx(math.expm1(2))
    assert on_mobile["cleaned_value"] == pytest.approx(math.expm1(3))
