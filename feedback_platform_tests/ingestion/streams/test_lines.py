from __future__ import annotations

import orjson
import pytest

from feedback_platform.ingestion.streams.lines import (
    contents,
    lines_of,
    received_times,
    within_one_hour,
)
from feedback_platform.ingestion.streams.partition import Message
from feedback_platform.ingestion.streams.pieces import Piece, json_piece
from feedback_platform_tests.ingestion.streams.world import PARTITION

HOUR = 3_600_000
CLAIMED_AT = 1000 * HOUR


def times(*timestamps: int, not_before: int = 0) -> list[int]:
    messages = [Message(position, time, b"{}") for position, time in enumerate(timestamps)]
    return received_times(messages, claimed_at=CLAIMED_AT, not_before=not_before)


def test_a_message_was_received_when_the_broker_says() -> None:
    assert times(5, 7, 7, 9) == [5, 7, 7, 9]


def test_no_message_was_received_before_the_one_in_front_of_it() -> None:
    assert times(5, 3, 8, 1) == [5, 5, 8, 8]
    assert times(3, 8, not_before=5) == [5, 8]


def test_without_a_time_it_was_received_with_the_one_in_front_or_when_it_was_claimed() -> None:
    assert times(5, 0, CLAIMED_AT + 1, -1, 6) == [5, 5, 5, 5, 6]
    assert times(0, 5) == [CLAIMED_AT, CLAIMED_AT]
    assert times(CLAIMED_AT) == [CLAIMED_AT]


def test_an_object_ends_with_its_hour() -> None:
    assert within_one_hour([HOUR, 2 * HOUR - 1]) == 2
    assert within_one_hour([HOUR, 2 * HOUR - 1, 2 * HOUR, 3 * HOUR]) == 2
    assert within_one_hour([5]) == 1


def test_a_message_becomes_a_line_with_its_json_at_the_end() -> None:
    (line,) = lines_of(PARTITION, Message(7, 1, b""), 1_500, [Piece(b'{"a":1}')])
    assert line == (
        b'{"format":"event","received_at":"1970-01-01T00:00:01.500000Z","source":"events",'
        b'"fallback_id":"events-3-7-0a1b2c3d","message":{"a":1}}\n'
    )


def test_what_could_not_be_decoded_becomes_a_line_with_its_bytes() -> None:
    (line,) = lines_of(PARTITION, Message(7, 1, b""), 1_500, [Piece(b"\xff", "not JSON")])
    assert orjson.loads(line) == {
        "format": "opaque",
        "received_at": "1970-01-01T00:00:01.500000Z",
        "source": "events",
        "fallback_id": "events-3-7-0a1b2c3d",
        "refusal": {"reason": "undecodable_message", "field": "not JSON"},
        "bytes": "/w==",
    }


def test_the_pieces_of_one_message_are_numbered() -> None:
    lines = lines_of(PARTITION, Message(7, 1, b""), 1_500, [Piece(b"{}"), Piece(b"{}")])
    assert [orjson.loads(line)["fallback_id"][-2:] for line in lines] == ["-0", "-1"]


def test_lines_say_the_same_whenever_they_were_received() -> None:
    early, late, other = [
        b"".join(lines_of(PARTITION, Message(7, 1, b""), at, [Piece(content)]))
        for at, content in ((1_500, b"{}"), (2_500, b"{}"), (1_500, b'{"a":1}'))
    ]
    assert contents(early) == contents(late) != contents(other)


def test_bytes_that_could_not_be_decoded_say_the_same_whenever_they_were_received() -> None:
    early, late, other = [
        b"".join(lines_of(PARTITION, Message(7, 1, b""), at, [Piece(content, "not JSON")]))
        for at, content in ((1_500, b"x"), (2_500, b"x"), (1_500, b"y"))
    ]
    assert contents(early) == contents(late) != contents(other)


def test_only_the_time_of_the_line_is_left_out_not_one_that_was_sent() -> None:
    sent = b'{"format":"event","received_at":"%d"}'
    one, other = [
        b"".join(lines_of(PARTITION, Message(7, 1, b""), 1_500, [Piece(sent % number)]))
        for number in (1, 2)
    ]
    assert contents(one) != contents(other)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a": 1}', Piece(b'{"a": 1}')),
        (b'{\n "a":\r\n 1}\n', Piece(b'{  "a":   1} ')),
        (
            b'{"big": 123456789012345678901234567890}',
            Piece(b'{"big": 123456789012345678901234567890}'),
        ),
        (b"[]", Piece(b"[]", "not a JSON object")),
        (b"null", Piece(b"null", "not a JSON object")),
        (b'{"a": 1} {"a": 2}', Piece(b'{"a": 1} {"a": 2}', "not JSON")),
        (b'{"a": NaN}', Piece(b'{"a": NaN}', "not JSON")),
        (b'{"a": "\\ud800"}', Piece(b'{"a": "\\ud800"}', "not JSON")),
        (b"", Piece(b"", "not JSON")),
    ],
)
def test_a_json_object_stays_as_it_came_but_on_one_line(content: bytes, expected: Piece) -> None:
    assert json_piece(content) == expected
