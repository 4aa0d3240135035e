from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.lake import keys

INSTANTS = st.datetimes(
    min_value=datetime(1000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)


def test_the_layout_is_the_one_that_others_rely_on() -> None:
    instant = datetime(2026, 3, 1, 7, 59, tzinfo=UTC)
    day = date(2026, 3, 1)

    raw = keys.raw_object(instant, "http-a", "01hx")
    assert raw == "raw/events/dt=2026-03-01/hr=07/http-a-01hx.ndjson.zst"
    clean = keys.clean_object(day, 7, "a1")
    assert clean == "clean/events/dt=2026-03-01/batch-000000000007-a1.parquet"
    assert keys.quarantine_object(day, 7, "a1").startswith("quarantine/events/dt=2026-03-01/")
    assert keys.model_champion("ranker") == "models/ranker/champion.json"
    assert keys.model_file("ranker", "v1", "trees.txt") == "models/ranker/v1/trees.txt"


@given(INSTANTS)
def test_a_raw_key_knows_its_hour(instant: datetime) -> None:
    key = keys.raw_object(instant, "web", "1")

    assert keys.hour_of(key) == instant.replace(minute=0, second=0, microsecond=0)
    assert keys.day_of(key) == instant.date()


@given(INSTANTS, INSTANTS)
def test_raw_hours_sort_like_time(one: datetime, other: datetime) -> None:
    if one < other:
        assert keys.raw_hour(one) <= keys.raw_hour(other)


@given(st.integers(1, 10**12 - 2))
def test_a_manifest_key_knows_its_sequence_and_sorts_by_it(sequence: int) -> None:
    key = keys.batch_manifest(sequence)

    assert keys.batch_sequence(key) == sequence
    assert key < keys.batch_manifest(sequence + 1)


@given(st.dates(min_value=date(1000, 1, 1)), st.integers(1, 10**12 - 1))
def test_what_a_batch_wrote_knows_its_day(day: date, sequence: int) -> None:
    assert keys.day_of(keys.clean_object(day, sequence, "a1")) == day
    assert keys.day_of(keys.quarantine_object(day, sequence, "a1")) == day


def test_a_key_without_a_day_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"'models/a' has no 'dt=' part"):
        keys.day_of("models/a")


@given(INSTANTS)
def test_a_raw_object_is_told_from_what_lies_beside_it(instant: datetime) -> None:
    key = keys.raw_object(instant, "http-a", "01hx")

    assert keys.is_raw_object(key)
    assert not keys.is_raw_object(key + ".tmp")
    assert not keys.is_raw_object(key.replace("hr=", "hour="))
    assert not keys.is_raw_object(key.rpartition("/")[0])


def test_a_file_of_lists_says_when_it_was_made() -> None:
    made_at = datetime(2026, 3, 1, 9, 5, 7, 42, tzinfo=UTC)
    key = keys.online_lists_file(made_at, "0a1b2c3d")
    assert key == "models/recommendations/online/20260301T090507000042Z-0a1b2c3d.lists"
    assert keys.online_lists_made_at(key) == made_at
    assert keys.online_lists_made_at("models/recommendations/online/else.lists") is None
