from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from feedback_platform.errors import InvalidInputError
from feedback_platform.ingestion.events_file import read_events
from feedback_platform_tests.ingestion.lines import events_of

EVENT: dict[str, Any] = {
    "event_id": "e1",
    "event_type": "item_clicked",
    "user_id": "u1",
    "item_id": "Übung",
    "occurred_at": "2026-03-01T10:00:00Z",
    "position": 3,
    "properties": {"nested": {"list": [1, 2.5, None]}},
}


def test_events_come_out_as_they_are(tmp_path: Path) -> None:
    imported = read_events(_written(tmp_path, EVENT))

    assert events_of(imported) == [EVENT]
    assert imported.counts == {"item_clicked": 1}


def test_the_clocks_of_an_earlier_receipt_are_left_out(tmp_path: Path) -> None:
    clocks = {"received_at": "2026-03-01T10:00:09Z", "sent_at": "2026-03-01T10:00:05Z"}

    assert events_of(read_events(_written(tmp_path, EVENT | clocks))) == [EVENT]


@pytest.mark.parametrize("absent", [{}, {"event_id": None}, {"event_id": ""}])
def test_an_event_without_an_id_gets_one_from_its_line(
    tmp_path: Path, absent: dict[str, Any]
) -> None:
    nameless = {name: value for name, value in EVENT.items() if name != "event_id"} | absent
    other = nameless | {"position": 4}

    first, again, different = events_of(read_events(_written(tmp_path, nameless, nameless, other)))

    assert first["event_id"] == again["event_id"] != different["event_id"]
    assert first["event_id"].startswith("events-")


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_compressed_files_read_the_same(tmp_path: Path, suffix: str) -> None:
    path = _written(tmp_path, EVENT)
    expected = read_events(path).fingerprint
    content = path.read_bytes()
    compressed = {"": content, ".gz": gzip.compress(content), ".zst": zstandard.compress(content)}
    other = tmp_path / f"other.ndjson{suffix}"
    other.write_bytes(compressed[suffix])

    assert read_events(other).fingerprint == expected


def test_frames_of_zstd_written_one_after_another_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.zst"
    lines = [json.dumps(EVENT | {"event_id": name}).encode() + b"\n" for name in ("e1", "e2")]
    path.write_bytes(b"".join(zstandard.compress(line) for line in lines))

    assert [event["event_id"] for event in events_of(read_events(path))] == ["e1", "e2"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 3: the line is not JSON"),
        ("[1]", r"line 3: the line is JSON, but not an object"),
        ("null", r"line 3: the line is JSON, but not an object"),
        ('{"a":' + "[" * 300 + "]" * 300 + "}", r"line 3: the event is nested too deeply"),
        ('{"value": NaN}', r"line 3: the line is not JSON"),
    ],
)
def test_a_line_that_is_no_json_object_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(f"{json.dumps(EVENT)}\n\n{line}\n")

    with pytest.raises(InvalidInputError, match=message) as caught:
        read_events(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.ndjson", b"", "holds no events"),
        ("events.ndjson", b"\n \n", "holds no events"),
        ("events.ndjson", b'{}\n{"a":"\xff"}\n', "line 2: the text is not UTF-8"),
        ("events.ndjson.gz", b"{}", r"not a whole \.gz file"),
        ("events.ndjson.zst", b"{}", r"not a whole \.zst file"),
        ("events.ndjson.zst", zstandard.compress(b"{}" * 999)[:-5], r"not a whole \.zst file"),
        ("directory", None, "cannot be read: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    with pytest.raises(InvalidInputError, match=message):
        read_events(path)


def test_whether_an_event_keeps_the_contract_is_left_to_cleaning(tmp_path: Path) -> None:
    imported = read_events(_written(tmp_path, {"event_type": 7}, {"event_type": "unheard_of"}))

    assert imported.counts == {"(none)": 1, "unheard_of": 1}


def _written(directory: Path, *events: dict[str, Any]) -> Path:
    path = directory / "events.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_a_huge_integer_is_imported_to_its_last_digit(tmp_path: Path) -> None:
    imported = read_events(_written(tmp_path, EVENT | {"properties": {"n": 2**64 + 1}}))

    assert '"n":18446744073709551617' in imported.lines[0]
