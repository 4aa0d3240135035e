from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from feedback_platform.cleaning.configuration import ALL_DEVICE_CATEGORIES, parse_rules
from feedback_platform.cleaning.reference import (
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
LINEAR = parse_rules('[use]\nevent_type = "item_used"\nimpute = "median"', origin="test")
LOG = parse_rules('[use]\nevent_type = "item_used"\nimpute = "mode"\nscale = "log"', origin="test")


def _uses(values: Sequence[float | None], device: str | None = "desktop") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_id": [f"{device}-{number}" for number in range(len(values))],
            "event_type": "item_used",
            "device_type": pl.Series([device] * len(values), dtype=pl.String),
            "value": pl.Series(values, dtype=pl.Float64),
        }
    )


def _by_device(reference: Reference) -> dict[str, SignalStatistics]:
    return {entry.device: entry for entry in reference.statistics}


def test_the_statistics_are_those_of_a_textbook() -> None:
    # 1 to 40, and 7 three times: the mode.
    values = [*map(float, range(1, 41)), 7.0, 7.0]
    reference = fit_reference(_uses(values), LINEAR, effective_from=HOUR)

    entry = _by_device(reference)["desktop"]
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

    assert set(entries) == set(ALL_DEVICE_CATEGORIES)
    assert entries["mobile"].mean == 10.0
    overall = pytest.approx((300 + 580) / 59)
    assert [entries[name].mean for name in ("tablet", "desktop", "other", "unknown")] == [
        overall
    ] * 4
    assert entries["tablet"].count == 59


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


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"version": "v"}', b"\xff"])
def test_a_damaged_reference_is_named(lake: Lake, content: bytes) -> None:
    lake.put("reference/cleaning/v1.json", content, mode="create")

    with pytest.raises(InvalidInputError, match=r"reference/cleaning/v1.json is damaged"):
        load_references(lake)
