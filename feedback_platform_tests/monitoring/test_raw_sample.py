from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring import raw_sample
from feedback_platform.monitoring.raw_sample import sample_raw

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINE = b'{"event_id":"a","received_at":"2026-03-01T%s:00Z"}\n'


@pytest.fixture
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake((tmp_path_factory.mktemp("lake") / "lake").as_uri())


def land(lake: Lake, ndjson: bytes, *, hours: int = 0, source: str = "web", name: str = "1") -> str:
    return write_raw_object(
        lake,
        received_at=HOUR + timedelta(hours=hours),
        source=source,
        sortable_id=name,
        ndjson=ndjson,
    )


def test_an_empty_lake_has_an_empty_sample(lake: Lake) -> None:
    sample = sample_raw(lake, now=HOUR)

    assert (len(sample.objects), sample.received, sample.hours) == (0, 0, None)
    assert sample.sources().empty


def test_lines_that_hold_no_json_object_are_counted_by_writer(lake: Lake) -> None:
    land(lake, LINE % b"12:30" + b"[1]\n\ncut off\n")
    land(lake, LINE % b"12:30", name="2")
    land(lake, LINE % b"12:30", source="collector-a1")

    sources = sample_raw(lake, now=HOUR).sources()

    assert list(sources[["source", "lines", "json_share"]].itertuples(index=False, name=None)) == [
        ("collector", 1.0, 1.0),
        ("web", 4.0, 0.5),
    ]


@pytest.mark.parametrize(
    ("received", "hours"),
    [(b"12:00", 0.0), (b"12:59", 0.0), (b"11:30", 0.5), (b"14:30", 1.5), (b"99:99", math.nan)],
)
def test_how_far_a_line_lies_outside_of_its_hour_is_told(
    lake: Lake, received: bytes, hours: float
) -> None:
    land(lake, LINE % received)

    (found,) = sample_raw(lake, now=HOUR).objects["hours_outside"].astype("float64")

    assert found == pytest.approx(hours, nan_ok=True)


def test_an_object_that_is_cut_short_is_not_readable(lake: Lake) -> None:
    key = land(lake, LINE % b"12:30")
    content = lake.get(key)
    lake.put(key, content[:-4], mode="overwrite")
    lake.put("raw/firehose/2026/03/01/12/part", b'{"a":1}{"b":2}', mode="create")

    objects = sample_raw(lake, now=HOUR).objects

    assert dict(zip(objects["raw_object"], objects["is_readable"], strict=True)) == {
        key: False,
        "raw/firehose/2026/03/01/12/part": True,
    }
    # How its records share lines is the business of cleaning.
    assert objects["lines"].isna().all()


def test_only_the_newest_day_is_looked_at_and_nothing_that_is_ahead_of_the_clock(
    lake: Lake,
) -> None:
    for hours in (-24, -23, 0, 1):
        land(lake, LINE % b"12:30", hours=hours)

    sample = sample_raw(lake, now=HOUR + timedelta(minutes=59))

    assert sample.received == 2
    assert sample.hours == (HOUR - timedelta(hours=23), HOUR)


def test_of_many_objects_some_are_read_spread_over_the_day(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_sample, "MAX_OBJECTS", 4)
    for hours in range(-9, 1):
        land(lake, LINE % b"12:30", hours=hours)

    sample = sample_raw(lake, now=HOUR)

    assert sample.received == 10
    read = [key.partition("hr=")[2][:2] for key in sample.objects["raw_object"]]
    assert read == ["12", "09", "06", "03"]


def test_no_more_is_read_than_memory_is_meant_to_hold(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_sample, "MAX_BYTES", 10)
    newest = land(lake, LINE % b"12:30")
    land(lake, LINE % b"11:30", hours=-1)

    assert list(sample_raw(lake, now=HOUR).objects["raw_object"]) == [newest]
