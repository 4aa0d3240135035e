from __future__ import annotations

import gzip
import random
from datetime import UTC, date, datetime, timedelta

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import (
    InvalidInputError,
    LakeObjectExistsError,
    LakeObjectMissingError,
)
from feedback_platform.lake import keys, raw
from feedback_platform.lake.raw import (
    list_raw_days,
    list_raw_objects,
    read_raw_object,
    write_raw_object,
)
from feedback_platform.lake.store import Lake

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
EVENTS = b'{"event_id": "e1"}\n{"event_id": "e2"}\n'


def _write(
    lake: Lake,
    received_at: datetime = NOON,
    *,
    source: str = "web",
    id_: str = "1",
    ndjson: bytes = EVENTS,
) -> str:
    return write_raw_object(
        lake, received_at=received_at, source=source, sortable_id=id_, ndjson=ndjson
    )


@pytest.mark.parametrize("content", [b"", b"\n", EVENTS, EVENTS * 10_000, b"\x00\xff not text"])
def test_what_is_written_is_read_back(lake: Lake, content: bytes) -> None:
    key = write_raw_object(lake, received_at=NOON, source="web", sortable_id="1", ndjson=content)

    assert key == "raw/events/dt=2026-03-01/hr=12/web-1.ndjson.zst"
    assert read_raw_object(lake, key) == content


def test_an_object_is_written_once(lake: Lake) -> None:
    key = _write(lake)

    assert _write(lake) == key
    with pytest.raises(LakeObjectExistsError):
        _write(lake, ndjson=b"other events")
    assert read_raw_object(lake, key) == EVENTS


@pytest.mark.parametrize(
    "source", ["", "Web", "web_1", "a/b", "-web", "web-", "a--b", "wéb", "a\n"]
)
def test_a_source_that_would_not_make_a_key_is_refused(lake: Lake, source: str) -> None:
    with pytest.raises(InvalidInputError, match="lower-case letters, digits and single dashes"):
        _write(lake, source=source)


@pytest.mark.parametrize("id_", ["", "A1", "a-1", "../1", "1.2", "1\n"])
def test_an_id_that_would_not_sort_is_refused(lake: Lake, id_: str) -> None:
    with pytest.raises(InvalidInputError, match="use lower-case letters and digits"):
        _write(lake, id_=id_)


@given(cut=st.integers(0, 10_000))
def test_a_truncated_object_is_refused_not_believed(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    lake = Lake(tmp_path_factory.getbasetemp().as_uri())
    whole = zstandard.compress(bytes(index * index % 251 for index in range(3000)))
    key = "raw/events/dt=2026-03-01/hr=12/web-1.ndjson.zst"
    lake.put(key, whole[: cut % len(whole)], mode="overwrite")

    with pytest.raises(InvalidInputError, match="web-1"):
        read_raw_object(lake, key)


def test_an_object_that_is_not_zstd_is_refused(lake: Lake) -> None:
    lake.put("raw/events/dt=2026-03-01/hr=12/web-1.ndjson.zst", EVENTS, mode="create")

    with pytest.raises(InvalidInputError, match="cannot be decompressed"):
        read_raw_object(lake, "raw/events/dt=2026-03-01/hr=12/web-1.ndjson.zst")


def test_an_object_that_does_not_say_its_size_is_read(lake: Lake) -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    lake.put("raw/events/k", compressor.compress(EVENTS) + compressor.flush(), mode="create")

    assert read_raw_object(lake, "raw/events/k") == EVENTS


def test_a_missing_object_is_missing(lake: Lake) -> None:
    with pytest.raises(LakeObjectMissingError):
        read_raw_object(lake, "raw/events/dt=2026-03-01/hr=12/web-1.ndjson.zst")


def test_objects_are_listed_from_an_hour_on(any_lake: Lake) -> None:
    offsets = [-30, -13, -1, 0, 1, 30]
    written = [_write(any_lake, NOON + timedelta(hours=offset)) for offset in offsets]

    assert list_raw_objects(any_lake) == written
    assert list_raw_objects(any_lake, since=NOON) == written[3:]
    assert list_raw_objects(any_lake, since=NOON - timedelta(hours=13)) == written[1:]
    assert list_raw_objects(any_lake, since=NOON + timedelta(days=9)) == []


def test_an_empty_lake_has_no_raw_objects(any_lake: Lake) -> None:
    assert list_raw_objects(any_lake) == []
    assert list_raw_objects(any_lake, since=NOON) == []
    assert list_raw_days(any_lake, first=NOON.date(), last=NOON.date()) == []


def test_days_are_listed_with_both_ends(any_lake: Lake) -> None:
    written = [_write(any_lake, NOON + timedelta(days=offset)) for offset in range(5)]

    listed = list_raw_days(any_lake, first=date(2026, 3, 2), last=date(2026, 3, 4))

    assert listed == written[1:4]


def test_an_object_that_would_fill_the_memory_is_refused(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _write(lake)
    monkeypatch.setattr(raw, "MAX_OBJECT_BYTES", len(EVENTS) - 1)

    with pytest.raises(InvalidInputError, match="holds more than"):
        read_raw_object(lake, key)


def test_an_object_that_could_not_be_read_again_is_not_written(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "MAX_OBJECT_BYTES", len(EVENTS))
    assert read_raw_object(lake, _write(lake)) == EVENTS

    with pytest.raises(InvalidInputError, match=r"web-2.*would hold 39 bytes.*smaller"):
        _write(lake, id_="2", ndjson=EVENTS + b"\n")
    assert len(list_raw_objects(lake)) == 1


FIREHOSE = "raw/firehose/2026/03/01/11/events-1-2026-03-01-11-59-30-a.gz"
FIREHOSE_WITH_PREFIX = "raw/firehose/shop/web/2026/03/01/13/events-1"


def test_files_of_firehose_are_raw_objects_of_their_hour(any_lake: Lake) -> None:
    for key in (FIREHOSE, FIREHOSE_WITH_PREFIX, "raw/firehose/readme.txt"):
        any_lake.put(key, b"{}", mode="create")
    own = _write(any_lake)

    assert list_raw_objects(any_lake) == [own, FIREHOSE, FIREHOSE_WITH_PREFIX]
    assert list_raw_objects(any_lake, since=NOON) == [own, FIREHOSE_WITH_PREFIX]
    assert list_raw_days(any_lake, first=NOON.date(), last=NOON.date()) == [
        own,
        FIREHOSE,
        FIREHOSE_WITH_PREFIX,
    ]
    assert keys.hour_of(FIREHOSE) == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert keys.day_of(FIREHOSE_WITH_PREFIX) == NOON.date()
    assert keys.source_of(FIREHOSE) == "firehose"


OF_FIREHOSE = {
    "a prefix of four digits": ("2024/2026/03/01/12/x", 12),
    "a prefix that is no year": ("0007/2026/03/01/12/x", 12),
    "a prefix like an early date": ("0007/03/01/10/2026/03/01/12/x", 12),
    "a prefix like no date": ("2026/13/2026/03/01/12/x", 12),
    "a folder below the hour": ("2026/03/01/12/customer=a/x", 12),
    "folders below the hour": ("shop/2026/03/01/12/a/b/c/x.gz", 12),
    "a date below the hour": ("2026/03/01/12/2024/01/01/00/x", 12),
    "another hour": ("2024/2026/03/01/11/customer=a/x", 11),
}


@pytest.mark.parametrize(("name", "hour"), OF_FIREHOSE.values(), ids=OF_FIREHOSE.keys())
def test_folders_around_the_hour_of_firehose_are_its_prefix_or_of_its_records(
    any_lake: Lake, name: str, hour: int
) -> None:
    key = f"raw/firehose/{name}"
    any_lake.put(key, b"{}", mode="create")

    assert keys.hour_of(key) == datetime(2026, 3, 1, hour, tzinfo=UTC)
    assert list_raw_objects(any_lake) == [key]
    assert list_raw_objects(any_lake, since=NOON) == ([key] if hour == 12 else [])
    assert list_raw_objects(any_lake, since=NOON - timedelta(days=400)) == [key]


def test_years_and_prefixes_of_firehose_lie_side_by_side(lake: Lake) -> None:
    written = [
        f"raw/firehose/{name}/x"
        for name in ("2026/02/01/00", "2026/03/01/12", "2026/2026/03/01/13", "2027/01/01/00")
    ]
    for key in written:
        lake.put(key, b"{}", mode="create")

    assert list_raw_objects(lake, since=NOON) == written[1:]


def test_of_what_firehose_wrote_earlier_nothing_is_listed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(1, 29):
        for month in ("2026/01", "2026/02", "2024/2026/02"):
            lake.put(f"raw/firehose/{month}/{day:02d}/10/customer=a/x", b"{}", mode="create")
    lake.put("raw/firehose/2026/03/01/12/customer=a/x", b"{}", mode="create")
    met: list[str] = []
    opened: list[str] = []
    list_page, subdirectories = lake.list_page, lake.subdirectories

    def noted_page(prefix: str, *, after: str) -> tuple[list[str], bool]:
        page, is_last = list_page(prefix, after=after)
        met.extend(page)
        return page, is_last

    def noted_folders(prefix: str) -> list[str]:
        opened.append(prefix)
        return subdirectories(prefix)

    monkeypatch.setattr(lake, "list_page", noted_page)
    monkeypatch.setattr(lake, "subdirectories", noted_folders)
    found = list_raw_objects(lake, since=NOON)

    assert found == met == ["raw/firehose/2026/03/01/12/customer=a/x"]
    # One for each folder above the months, whatever was written below them.
    assert len(opened) == 4


@pytest.mark.parametrize(
    "content",
    [b'{"a":1}{"b":2}', gzip.compress(b'{"a":1}') + gzip.compress(b'{"b":2}')],
    ids=["plain", "gzipped"],
)
def test_a_file_of_firehose_is_read_plain_or_gzipped(lake: Lake, content: bytes) -> None:
    lake.put(FIREHOSE, content, mode="create")

    assert read_raw_object(lake, FIREHOSE) == b'{"a":1}{"b":2}'


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=4), st.sampled_from([0, 1, 70_000]))
def test_every_member_of_a_gzip_file_is_read(sizes: list[int], padding: int) -> None:
    parts = [random.Random(size).randbytes(size) for size in sizes]
    joined = b"".join(gzip.compress(part, 1) for part in parts) + b"\0" * padding

    assert raw._gunzipped("key", joined) == b"".join(parts)


@pytest.mark.parametrize("cut", [3, -4])
def test_a_file_of_firehose_that_was_cut_is_refused(lake: Lake, cut: int) -> None:
    lake.put(FIREHOSE, gzip.compress(b'{"a":1}' * 100)[:cut], mode="create")

    with pytest.raises(InvalidInputError, match="was cut short"):
        read_raw_object(lake, FIREHOSE)


def test_a_gzip_bomb_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "MAX_OBJECT_BYTES", 1 << 20)
    lake.put(FIREHOSE, gzip.compress(b" " * (2 << 20)), mode="create")

    with pytest.raises(InvalidInputError, match="holds more than 1,048,576 bytes"):
        read_raw_object(lake, FIREHOSE)


@pytest.mark.parametrize(
    "key",
    [
        "raw/events/dt=2026-02-30/hr=00/web-1.ndjson.zst",
        "raw/events/dt=2026-02-01/hr=24/web-1.ndjson.zst",
        "raw/firehose/2026/13/01/00/x",
        "raw/firehose/2026/01/01/x",
        "raw/firehose/2026/02/30/00/x",
        "raw/firehose/0007/05/05/10/x",
        "raw/firehose/2026/01/01/00x/y",
    ],
)
def test_what_lies_under_no_hour_is_no_raw_object(lake: Lake, key: str) -> None:
    lake.put(key, b"", mode="create")

    assert list_raw_objects(lake) == []


def test_all_collectors_are_one_source() -> None:
    assert (
        keys.source_of(keys.raw_object(NOON, "collector-20260301a1", "0000000001")) == "collector"
    )
    assert keys.source_of(keys.raw_object(NOON, "import-movielens", "1")) == "import-movielens"
