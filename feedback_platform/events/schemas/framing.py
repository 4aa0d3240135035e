"""Confluent's framing of a Kafka message: which schema wrote it, then what was written.

Byte 0 is zero, four bytes are the schema's id, most significant first. In Protobuf a path to the
message's type within its file follows: how many indexes, and each of them, as zigzag varints; a
single zero byte stands for the first message of the file.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from feedback_platform.errors import PermanentError

MAGIC: Final = 0
_HEADER_BYTES: Final = 5
_MAX_VARINT_BITS: Final = 32
# No source nests messages as deeply; a corrupt count must not be believed.
_MAX_INDEXES: Final = 100
_FIRST_MESSAGE: Final = (0,)


class FramingError(PermanentError):
    """Bytes that do not begin as a message of a registered schema does."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A framed message taken apart.

    Attributes:
        schema_id: of the schema that wrote it.
        message_indexes: where the message's type stands in its .proto file; (0,) is its first one.
        payload: what was written.
    """

    schema_id: int
    message_indexes: tuple[int, ...]
    payload: bytes


def is_framed(value: bytes) -> bool:
    """Return whether a value may be framed; JSON text never begins with a zero byte."""
    return len(value) >= _HEADER_BYTES and value[0] == MAGIC


def read_schema_id(value: bytes) -> int:
    """Return the id of the schema that wrote a framed value.

    Raises:
        FramingError: the value is too short or begins with another byte than zero.
    """
    if len(value) < _HEADER_BYTES:
        raise FramingError(f"{len(value)} bytes are too short for a framed message (at least 5).")
    if value[0] != MAGIC:
        raise FramingError(f"A framed message begins with byte 0, not with {value[0]}.")
    return int.from_bytes(value[1:_HEADER_BYTES], "big")


def read_frame(value: bytes, *, is_protobuf: bool) -> Frame:
    """Take a framed value apart.

    Args:
        value: the whole value of a Kafka message.
        is_protobuf: whether the schema is a Protobuf one, so that message indexes follow its id.

    Raises:
        FramingError: the value is not framed, or its message indexes are not whole.
    """
    schema_id = read_schema_id(value)
    if not is_protobuf:
        return Frame(schema_id, (), value[_HEADER_BYTES:])
    # One zero byte instead of the list [0]: by far the most frequent case.
    if value[_HEADER_BYTES : _HEADER_BYTES + 1] == b"\0":
        return Frame(schema_id, _FIRST_MESSAGE, value[_HEADER_BYTES + 1 :])
    count, position = _read_varint(value, _HEADER_BYTES)
    if not 0 < count <= _MAX_INDEXES:
        raise FramingError(f"A framed message cannot have {count} message indexes.")
    indexes = []
    for _ in range(count):
        index, position = _read_varint(value, position)
        if index < 0:
            raise FramingError(f"A message index cannot be {index}.")
        indexes.append(index)
    return Frame(schema_id, tuple(indexes), value[position:])


def write_frame(schema_id: int, payload: bytes, message_indexes: Sequence[int] = ()) -> bytes:
    """Return a framed value.

    Args:
        schema_id: of the schema that wrote the payload.
        payload: what was written.
        message_indexes: for Protobuf, where the message's type stands; empty for JSON.
    """
    header = bytes([MAGIC]) + schema_id.to_bytes(4, "big")
    if not message_indexes:
        return header + payload
    if tuple(message_indexes) == _FIRST_MESSAGE:
        return header + b"\0" + payload
    numbers = [len(message_indexes), *message_indexes]
    return header + b"".join(_varint(number) for number in numbers) + payload


def _read_varint(value: bytes, position: int) -> tuple[int, int]:
    """Return a zigzag varint and the position behind it."""
    number = 0
    for shift in range(0, _MAX_VARINT_BITS, 7):
        if position >= len(value):
            raise FramingError("A framed message ends within its message indexes.")
        byte = value[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return (number >> 1) ^ -(number & 1), position
    raise FramingError("A message index of a framed message is longer than 32 bits.")


def _varint(number: int) -> bytes:
    rest = number << 1
    encoded = bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append((rest & 0x7F) | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)
