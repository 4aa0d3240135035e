from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from feedback_platform.cleaning.configuration import SignalRules, parse_rules
from feedback_platform.cleaning.reference import (
    ALL_DEVICES,
    BEGINNING,
    Reference,
    SignalStatistics,
    fit_reference,
    load_references,
    reference_for,
    save_reference,
)
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake

HOUR = datetime(2026, 3, 1, 10, tzinfo=UTC)
USE = '[signals.use]\nevent_type = "item_used"\n'
LINEAR = parse_rules(f'{USE}impute = "median"', origin="test")
LOG = parse_rules(f'{USE}impute = "mode"\nscale = "log"', origin="test")


def _uses(values: Sequence[float | None], device: str | None = "desktop") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_id": [f"{device}-{number}" for number in range(len(values))],
            "event_type": "item_used",
            "device_type": pl.Series([device] * len(values), dtype=pl.String),
            "value": pl.Series(values, dtype=pl.Float64),
            "received_at": [HOUR - timedelta(minutes=number) for number in range(len(values))],
        }
    )


def _by_device(reference: Reference) -> dict[str, SignalStatistics]:
    return {entry.device: entry for entry in reference.statistics}


def test_the_statistics_are_those_of_a_textbook() -> None:
    # 1 to 40, and 7 three times: the mode.
    values = [*map(float, range(1, 41)), 7.0, 7.0]
    reference = fit_reference(_uses(values), LINEAR, effective_from=HOUR)

    entry = _by_device(reference)["desktop"]
    assert entry == replace(_by_device(reference)["all"], device="desktop")
    mean = (820 + 14) / 42
    assert reference.rows == entry.count == 42
    assert entry.median == 19.5
    assert entry.mode == 7.0
    assert entry.mean == pytest.approx(mean)
    squares = sum((value - mean) ** 2 for value in values)
    assert entry.deviation == pytest.approx(math.sqrt(squares / 41))
    # Sorted: 1 to 6, then 7, 7, 7, then 8 to 40; the quartiles lie at 10.25 and 30.75.
    assert entry.lower_quartile == pytest.approx(9.25)
    assert entry.upper_quartile == pytest.approx(29.75)
    assert entry.low == pytest.approx(1.41)
    assert entry.high == pytest.approx(39.59)
    assert (entry.minimum, entry.maximum) == (1.0, 40.0)
    # 1 to 40 lie 18.5, 17.5, … 0.5, 0.5, … 20.5 from 19.5, and the sevens 12.5: of the 42
    # distances 20 are 9.5 or less, then come 10.5 and 10.5.
    assert entry.median_deviation == 10.5
    assert entry.scale == "linear"


def test_a_version_knows_the_window_that_it_was_fitted_on() -> None:
    reference = fit_reference(_uses([1.0] * 40), LINEAR, effective_from=HOUR)

    assert (reference.window_from, reference.window_to) == (HOUR - timedelta(minutes=39), HOUR)


def test_a_logarithmic_signal_has_logarithmic_statistics() -> None:
    values = [math.expm1(2.0)] * 20 + [math.expm1(4.0)] * 11
    reference = fit_reference(_uses(values), LOG, effective_from=HOUR)

    entry = _by_device(reference)["desktop"]
    assert entry.median == entry.mode == pytest.approx(2.0)
    assert entry.mean == pytest.approx((20 * 2 + 11 * 4) / 31)
    assert entry.high == pytest.approx(4.0)


def test_a_device_with_few_values_falls_back_to_all_together() -> None:
    events = pl.concat([_uses([10.0] * 30, "Mobile"), _uses([20.0] * 29, "tablet")])

    entries = _by_device(fit_reference(events, LINEAR, effective_from=HOUR))

    assert set(entries) == {ALL_DEVICES, "mobile"}
    reference = fit_reference(events, LINEAR, effective_from=HOUR)
    (rule,) = LINEAR.signals
    assert _mean(reference, rule, "mobile") == 10.0
    for device in ("tablet", "desktop", "other", "unknown"):
        assert _mean(reference, rule, device) == pytest.approx((300 + 580) / 59)


def _mean(reference: Reference, rule: SignalRules, device: str) -> float:
    found = reference.statistics_of(rule, device)
    assert found is not None
    return found.mean


def test_a_rule_on_another_scale_does_not_use_what_was_fitted() -> None:
    reference = fit_reference(_uses([1.0] * 30), LINEAR, effective_from=HOUR)

    assert reference.statistics_of(LINEAR.signals[0], "desktop") is not None
    assert reference.statistics_of(LOG.signals[0], "desktop") is None


def test_every_signal_with_values_is_fitted_whatever_is_done_with_it_today() -> None:
    rules = parse_rules(USE, origin="test")

    assert _by_device(fit_reference(_uses([1.0] * 30), rules, effective_from=HOUR))


def test_unheard_of_and_unsaid_devices_each_have_statistics() -> None:
    events = pl.concat([_uses([1.0] * 30, "fridge"), _uses([2.0] * 30, None)])

    entries = _by_device(fit_reference(events, LINEAR, effective_from=HOUR))

    assert (entries["other"].mean, entries["unknown"].mean) == (1.0, 2.0)


def test_a_signal_with_fewer_than_thirty_values_has_no_statistics() -> None:
    few = _uses([1.0] * 29)
    assert fit_reference(few, LINEAR, effective_from=HOUR).statistics == ()

    # Neither a missing value nor one that the contract refuses makes up for it.
    more = pl.concat([few, _uses([None, -1.0], "x")])
    assert fit_reference(more, LINEAR, effective_from=HOUR).statistics == ()


def test_the_version_depends_on_the_content_and_the_hour() -> None:
    one = fit_reference(_uses([1.0] * 30), LINEAR, effective_from=HOUR)
    same = fit_reference(_uses([1.0] * 30).reverse(), LINEAR, effective_from=HOUR)
    other = fit_reference(_uses([2.0] * 30), LINEAR, effective_from=HOUR)
    later = fit_reference(_uses([1.0] * 30), LINEAR, effective_from=HOUR + timedelta(hours=1))

    assert one == same
    assert len({one.version, other.version, later.version}) == 3
    assert one.version.startswith("20260301T100000-")
    first = fit_reference(_uses([1.0] * 30), LINEAR, effective_from=BEGINNING)
    assert first.version.startswith("00010101T000000-")


def test_the_version_in_effect_is_the_newest_that_began() -> None:
    versions = [
        Reference(name, HOUR + timedelta(hours=hours), 0, ())
        for name, hours in (("a", 0), ("b", 5), ("c", 5), ("d", 9))
    ]

    def at(hours: int) -> str:
        return reference_for(versions, HOUR + timedelta(hours=hours)).version

    assert (at(-100), at(0), at(4), at(5), at(8), at(9), at(900)) == (
        "a",
        "a",
        "a",
        "c",
        "c",
        "d",
        "d",
    )


def test_references_are_loaded_as_they_were_saved(lake: Lake) -> None:
    later = fit_reference(_uses([2.0] * 30), LINEAR, effective_from=HOUR)
    first = fit_reference(_uses([1.0, 3.0] * 30), LOG, effective_from=BEGINNING)
    assert load_references(lake) == []

    for reference in (later, first, first):
        save_reference(lake, reference)

    assert load_references(lake) == [first, later]


def test_a_version_of_an_earlier_release_is_loaded_without_what_was_not_fitted_then(
    lake: Lake,
) -> None:
    stored = """{
        "version": "00010101T000000-0123456789ab",
        "effective_from": "0001-01-01T00:00:00+00:00",
        "rows": 100,
        "statistics": [{"signal": "use", "device": "desktop", "count": 100, "median": 3.0,
            "mode": 2.5, "lower_quartile": 2.0, "upper_quartile": 4.0, "mean": 3.0,
            "deviation": 0.5, "low": 1.0, "high": 5.0}]
    }"""
    lake.put("reference/cleaning/00010101T000000-0123456789ab.json", stored.encode(), mode="create")

    (reference,) = load_references(lake)

    assert reference.effective_from == BEGINNING
    assert reference.window_from is None
    found = reference.statistics_of(LOG.signals[0], "desktop")
    assert found is not None
    assert (found.upper_quartile, found.median_deviation) == (4.0, None)
    # Its figures are logarithms, and no device's are those of another.
    assert reference.statistics_of(LINEAR.signals[0], "desktop") is None
    assert reference.statistics_of(LOG.signals[0], "tablet") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version": "v"}',
        b"\xff",
        b'{"version": "v", "effective_from": "2026-03-01", "rows": 1, "statistics": [{"x": 3}]}',
    ],
)
def test_a_damaged_reference_is_named(lake: Lake, content: bytes) -> None:
    lake.put("reference/cleaning/v1.json", content, mode="create")

    with pytest.raises(InvalidInputError, match=r"reference/cleaning/v1.json is damaged"):
        load_references(lake)
