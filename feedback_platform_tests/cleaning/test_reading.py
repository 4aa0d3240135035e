from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.cleaning import reading
from feedback_platform.cleaning.reading import canonical_lines, parse_objects, parse_raw_object
from feedback_platform.cleaning.validation import MALFORMED_FIELD
from feedback_platform.lake.keys import raw_object
from feedback_platform_tests.cleaning.lines import HOUR, KEY, event, ndjson, parsed

NO_OBJECT = {
    "truncated": b'{"event_id": "e1", "user_i',
    "no JSON": b"GET / HTTP/1.1",
    "null": b"null",
    "a number": b"17",
    "a string": b'"event"',
    "an array": b'[{"event_id": "e1"}]',
    "an array of numbers": b"[1, 2]",
    "not a number": b'{"event_id": "e1", "value": NaN}',
    "infinite": b'{"event_id": "e1", "value": 1e999}',
    "two objects": b'{"event_id": "e1"}{"event_id": "e2"}',
    "rubbish behind": b'{"event_id": "e1"} x',
    "single quotes": b"{'event_id': 'e1'}",
    "Latin-1": '{"event_id": "é"}'.encode("latin-1"),
    "Latin-1 inside": '{"event_id": "e1", "properties": {"x": "é"}}'.encode("latin-1"),
    "zero bytes": b"\x00\x00\x00",
    "too deep": b'{"event_id": "e1", "properties": {"x": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
}


@pytest.mark.parametrize("line", NO_OBJECT.values(), ids=NO_OBJECT.keys())
def test_a_line_that_is_no_json_object_costs_its_neighbours_nothing(line: bytes) -> None:
    read = parsed(event("before"), line, event("after"))

    assert read.lines == 3
    assert read.unreadable_rows == [1]
    assert read.line(1) == line
    assert read.events.select("event_id", "raw_row").rows() == [("before", 0), ("after", 2)]
    assert read.events[MALFORMED_FIELD].is_null().all()


@pytest.mark.parametrize("blank", [b"", b"  ", b"\r"])
def test_blank_lines_are_no_lines_but_keep_their_numbers(blank: bytes) -> None:
    read = parsed(blank, event("a"), blank, blank, event("b"), blank)

    assert read.lines == 2
    assert read.unreadable_rows == []
    assert read.events.select("event_id", "raw_row").rows() == [("a", 1), ("b", 4)]
    assert [json.loads(read.line(row))["event_id"] for row in (1, 4)] == ["a", "b"]


def test_two_objects_in_a_line_and_a_blank_one_are_not_mistaken_for_two_lines() -> None:
    read = parsed(b'{"event_id": "a"}{"event_id": "b"}', b"", event("c"))

    assert read.unreadable_rows == [0]
    assert read.events.select("event_id", "raw_row").rows() == [("c", 2)]


@pytest.mark.parametrize("content", [b"", b"\n", b"\n \n"])
def test_an_object_without_lines_is_empty(content: bytes) -> None:
    read = parse_raw_object(KEY, content)

    assert (read.lines, read.events.height, read.unreadable_rows) == (0, 0, [])
    assert read.events.columns == parsed(event()).events.columns


def test_the_last_line_needs_no_end_and_windows_line_ends_are_fine() -> None:
    read = parse_raw_object(KEY, ndjson(event("a"))[:-1] + b"\r\n" + ndjson(event("b"))[:-1])

    assert read.events["event_id"].to_list() == ["a", "b"]


MALFORMED: dict[str, Any] = {
    "value": "a lot",
    "propensity": {"p": 1},
    "position": 1.5,
    "occurred_at": "yesterday",
    "sent_at": 1772355600,
    "received_at": "2026-02-30T00:00:00Z",
    "event_id": {"id": 1},
    "user_id": ["u1"],
    "item_id": {},
    "session_id": [],
    "country": "D\x00E",
    "properties": "text",
}


@pytest.mark.parametrize(("field", "value"), MALFORMED.items())
def test_a_text_of_the_wrong_kind_becomes_null_and_is_named(field: str, value: Any) -> None:
    read = parsed(event("before"), event() | {field: value}, event("after"))

    assert read.events[MALFORMED_FIELD].to_list() == [None, field, None]
    if field != "received_at":  # for which the hour of the object stands in
        assert read.events[field][1] is None
    assert read.unreadable_rows == []


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", "1e999", True, ""])
def test_what_is_no_finite_number_is_no_value(value: Any) -> None:
    read = parsed(event(value=value))

    assert read.events[MALFORMED_FIELD].to_list() == ["value"]


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3.0), ("3.5", 3.5), (-0.25, -0.25), ("1e3", 1000.0), (None, None)]
)
def test_numbers_are_read_from_numbers_and_texts(value: Any, number: float | None) -> None:
    read = parsed(event(value=value))

    assert read.events["value"].to_list() == [number]
    assert read.events[MALFORMED_FIELD].to_list() == [None]


@pytest.mark.parametrize(("value", "position"), [(3, 3), ("3", 3), (3.0, 3), (10**12, 10**12)])
def test_whole_numbers_are_positions(value: Any, position: int) -> None:
    assert parsed(event(position=value)).events["position"].to_list() == [position]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T09:30:15Z", datetime(2026, 3, 1, 9, 30, 15, tzinfo=UTC)),
        ("2026-03-01T09:30:15.123Z", datetime(2026, 3, 1, 9, 30, 15, 123000, tzinfo=UTC)),
        ("2026-03-01T09:30:15.123456Z", datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)),
        ("2026-03-01T09:30:15+02:00", datetime(2026, 3, 1, 7, 30, 15, tzinfo=UTC)),
        ("2026-03-01T09:30:15.5-0530", datetime(2026, 3, 1, 15, 0, 15, 500000, tzinfo=UTC)),
        ("2026-03-01T09:30:15+00:00", datetime(2026, 3, 1, 9, 30, 15, tzinfo=UTC)),
        ("2026-03-01T09:30+02:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01T09:30Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_timestamps_come_in_several_forms(text: str, instant: datetime) -> None:
    # Beside others, since each form has a column-wise attempt of its own.
    read = parsed(event(), event(occurred_at=text), event(occurred_at="2026-03-01T10:00+01:00"))

    assert read.events["occurred_at"].to_list() == [
        datetime(2026, 3, 1, 9, tzinfo=UTC),
        instant,
        datetime(2026, 3, 1, 9, tzinfo=UTC),
    ]


@pytest.mark.parametrize("text", ["2026-03-01", "2026-03-01T09:30:15", "01.03.2026", "", "now"])
def test_a_time_without_its_zone_or_hour_is_refused(text: str) -> None:
    assert parsed(event(occurred_at=text)).events[MALFORMED_FIELD].to_list() == ["occurred_at"]


@pytest.mark.parametrize(
    "text", ["+10000-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "-262143-01-01T00:00:00Z"]
)
def test_a_year_that_has_not_four_digits_is_refused(text: str) -> None:
    assert parsed(event(sent_at=text)).events[MALFORMED_FIELD].to_list() == ["sent_at"]


def test_the_hour_of_the_object_stands_in_for_a_missing_receipt() -> None:
    read = parsed(event(), event(received_at="2026-03-01T10:20:00Z"))

    assert read.events["received_at"].to_list() == [HOUR, HOUR.replace(minute=20)]


def test_other_scalars_are_names_too_and_unknown_fields_are_left_out() -> None:
    read = parsed({"event_id": 17, "user_id": True, "unheard_of": {"x": 1}})

    assert read.events.select("event_id", "user_id").rows() == [("17", "true")]
    assert "unheard_of" not in read.events.columns


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e9, 1e9, width=32)
    | st.text(st.characters(codec="utf-8"))
)
KEYS = st.text(st.characters(codec="utf-8"), max_size=5)
PROPERTIES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(properties=PROPERTIES, is_ascii=st.booleans())
def test_properties_are_kept_as_they_came(properties: dict[str, Any], is_ascii: bool) -> None:  # noqa: FBT001
    line = json.dumps(event(properties=properties), ensure_ascii=is_ascii).encode()

    read = parsed(event("before"), line)

    assert json.loads(read.events["properties"][1]) == properties
    assert read.events[MALFORMED_FIELD].to_list() == [None, None]


@pytest.mark.parametrize("text", ["{no json", '{"a": 1}', "{", '{"'])
def test_a_text_that_looks_like_an_object_is_none(text: str) -> None:
    read = parsed(event(properties=text))

    assert read.events["properties"].to_list() == [None]
    assert read.events[MALFORMED_FIELD].to_list() == ["properties"]


def test_half_a_surrogate_in_properties_is_no_text() -> None:
    read = parsed(event("before"), b'{"event_id": "e", "properties": {"x": "\\ud800"}}')

    assert read.events[MALFORMED_FIELD].to_list() == [None, "properties"]


HALF_A_SURROGATE = b'{"event_id": "e", "unheard_of": "\\ud800"}'
ODD_LINES = [
    event("a"),
    event(value="much", properties={"x": 'an "escape"'}),
    event(item_id=10**60),
    event(item_id=["i"], received_at="2026-03-01T10:20:00Z"),
    b'{"format":"segment","message":{"cut": ',
    b'{"format":"event","received_at":"2026-03-01T10:02:00Z","message":{"event_id":"r"}}',
    HALF_A_SURROGATE,
    b"",
    b"\x0b",
    *NO_OBJECT.values(),
]


@given(st.lists(st.lists(st.sampled_from(ODD_LINES), max_size=4), min_size=1, max_size=5))
def test_what_is_read_of_an_object_does_not_depend_on_those_beside_it(
    contents: list[list[dict[str, Any] | bytes]],
) -> None:
    objects = [
        canonical_lines(raw_object(HOUR, "web", str(number)), ndjson(*lines)[:-1])
        for number, lines in enumerate(contents)
    ]

    together = parse_objects(objects)

    for read, item in zip(together, objects, strict=True):
        (alone,) = parse_objects([item])
        assert read.texts.equals(alone.texts)
        assert replace(read, texts=alone.texts) == alone


def test_many_objects_are_read_each_with_its_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_TOGETHER_BYTES", 400)
    keys = [raw_object(HOUR, "web", str(number)) for number in range(9)]

    read = parse_objects([canonical_lines(key, ndjson(event(key), b"[]")) for key in keys])

    assert [item.key for item in read] == keys
    assert [item.events["event_id"].to_list() for item in read] == [[key] for key in keys]
    assert all(item.unreadable_rows == [1] for item in read)


def test_half_a_surrogate_is_refused_by_its_field_whatever_stands_beside_it() -> None:
    alone, amid = parsed(HALF_A_SURROGATE), parsed(b"{broken}", HALF_A_SURROGATE)

    assert (alone.unreadable_rows, amid.unreadable_rows) == ([], [0])
    assert amid.events["event_id"].to_list() == alone.events["event_id"].to_list() == ["e"]


@given(st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=8))
def test_every_line_is_either_read_or_unreadable_or_blank(lines: list[bytes]) -> None:
    mixed: list[dict[str, Any] | bytes] = [event("a"), *lines, event("b")]

    read = parsed(*mixed)

    rows = read.events["raw_row"].to_list()
    unreadable = [*read.unreadable_rows, *(line.row for line in read.refused)]
    assert sorted([*rows, *unreadable]) == [
        row for row, line in enumerate(mixed) if isinstance(line, dict) or line.strip()
    ]
    assert read.lines == len(rows) + len(unreadable)
    assert {0, len(mixed) - 1} <= set(rows)


def test_an_empty_text_is_a_field_that_was_not_sent() -> None:
    key = "raw/events/dt=2026-03-01/hr=12/web-1.ndjson.zst"
    row = parse_raw_object(key, b'{"event_id":"","user_id":"u","session_id":""}\n')

    (event,) = row.events.rows(named=True)
    assert (event["event_id"], event["session_id"]) == (None, None)
    assert (event["user_id"], event["malformed_field"]) == ("u", None)


@pytest.mark.parametrize("text", ["[Test] new home", "[]", "{}", '{"a"', '["a"]', "{x}"])
def test_a_name_may_look_like_an_array_or_an_object(text: str) -> None:
    read = parsed(event(experiment_id=text), event(experiment_id=[text]), event())

    assert read.events["experiment_id"].to_list() == [text, None, None]
    assert read.events[MALFORMED_FIELD].to_list() == [None, "experiment_id", None]


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 2**127, 10**60])
@pytest.mark.parametrize("note", ["", 'with "an escape"'])
def test_a_huge_integer_is_kept_to_its_last_digit(number: int, note: str) -> None:
    read = parsed(event(item_id=number, properties={"x": number, "note": note}), event())

    assert read.events["item_id"].to_list() == [str(number), "i1"]
    assert int(json.loads(read.events["properties"][0])["x"]) == number
    assert read.events[MALFORMED_FIELD].to_list() == [None, None]
