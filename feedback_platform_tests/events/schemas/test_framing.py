from __future__ import annotations

import pytest
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.events.schemas.framing import (
    Frame,
    FramingError,
    is_framed,
    read_frame,
    read_schema_id,
    write_frame,
)

IDS = st.integers(0, 2**31 - 1)
INDEXES = st.lists(st.integers(0, 300), min_size=1, max_size=6)


def test_json_follows_the_id() -> None:
    assert read_frame(b"\0\0\0\1\2{}", is_protobuf=False) == Frame(258, (), b"{}")


def test_one_zero_byte_stands_for_the_first_message() -> None:
    assert read_frame(b"\0\0\0\0\7\0abc", is_protobuf=True) == Frame(7, (0,), b"abc")


def test_indexes_are_zigzag_varints_behind_their_count() -> None:
    # Two indexes, 1 and 64: zigzag 4, 2 and 128, which takes two bytes.
    assert read_frame(b"\0\0\0\0\7\x04\x02\x80\x01abc", is_protobuf=True) == Frame(
        7, (1, 64), b"abc"
    )


def test_an_empty_message_is_a_message() -> None:
    assert read_frame(b"\0\0\0\0\7\0", is_protobuf=True) == Frame(7, (0,), b"")


@given(schema_id=IDS, indexes=INDEXES, payload=st.binary())
def test_what_is_written_is_read(schema_id: int, indexes: list[int], payload: bytes) -> None:
    framed = write_frame(schema_id, payload, indexes)

    assert read_frame(framed, is_protobuf=True) == Frame(schema_id, tuple(indexes), payload)
    assert read_schema_id(framed) == schema_id
    assert is_framed(framed)


@given(indexes=INDEXES)
def test_indexes_are_written_as_confluents_serialiser_writes_them(indexes: list[int]) -> None:
    import io

    expected = io.BytesIO()
    ProtobufSerializer._encode_varints(expected, indexes)

    assert write_frame(1, b"", indexes)[5:] == expected.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0\0\1",
        b'{"event_id":"e"}',
        b"\1\0\0\0\7\0",
        b"\0\0\0\0\7",  # no indexes
        b"\0\0\0\0\7\x04\x02",  # two are announced, one came
        b"\0\0\0\0\7\x03",  # a negative count
        b"\0\0\0\0\7\xff\xff\xff\xff\x0f\x02",  # a count that nobody means
        b"\0\0\0\0\7\x02\x01",  # a negative index
        b"\0\0\0\0\7" + b"\x80" * 20,
    ],
)
def test_what_is_no_frame_is_refused(value: bytes) -> None:
    with pytest.raises(FramingError):
        read_frame(value, is_protobuf=True)


@given(value=st.binary(max_size=40))
def test_no_bytes_fail_in_another_way(value: bytes) -> None:
    try:
        frame = read_frame(value, is_protobuf=True)
    except FramingError:
        return
    assert value.endswith(frame.payload)
