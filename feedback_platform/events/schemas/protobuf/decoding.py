"""From Protobuf bytes to a JSON-ready dict, by a schema that was not known before.

Names are those of the .proto file. Only what the message holds appears in the dict: a field without
presence (a proto3 scalar that is not `optional`) is left out where it has its default, as in
Protobuf's own JSON. Numbers stay numbers, 64 bits wide too; enums become the names of their values,
bytes base64, Timestamp an ISO text that ends in Z, Duration a text that ends in s, Struct a dict, a
wrapper its value. What JSON has no number for (NaN, infinities) becomes a text.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import DecodeError, Message

from feedback_platform.errors import PermanentError
from feedback_platform.events.schemas.protobuf.source import parse_protobuf
from feedback_platform.events.schemas.schema import ResolveReference, Schema

Decode = Callable[[bytes, Sequence[int]], dict[str, Any]]
_Convert = Callable[[Any], Any]

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the Z is written by hand, that is faster
_NANOS_PER_SECOND: Final = 1_000_000_000


class UnreadableMessageError(PermanentError):
    """Bytes that are no message of the type that their frame names."""


def protobuf_decoder(schema: Schema, resolve_references: ResolveReference) -> Decode:
    """Return a function that reads messages of a schema.

    Args:
        schema: a Protobuf schema.
        resolve_references: finds the schemas that it imports.

    Returns:
        A function of a message's bytes and its message indexes. It raises UnreadableMessageError.

    Raises:
        InvalidSchemaError: the schema cannot be read.
    """
    file = parse_protobuf(schema, resolve_references).linked()
    readers: dict[tuple[int, ...], tuple[type[Message], _Convert]] = {}
    converters: dict[str, _Convert] = {}

    def decode(content: bytes, indexes: Sequence[int] = (0,)) -> dict[str, Any]:
        reader = readers.get(tuple(indexes))
        if reader is None:
            descriptor = _message_at(file, tuple(indexes))
            reader = (
                message_factory.GetMessageClass(descriptor),
                _fields_converter(descriptor, converters),
            )
            readers[tuple(indexes)] = reader
        parse, convert = reader
        try:
            decoded: dict[str, Any] = convert(parse.FromString(content))
        except DecodeError as error:
            raise UnreadableMessageError(
                f"{len(content)} bytes are no {parse.DESCRIPTOR.full_name}: {error}"
            ) from error
        return decoded

    return decode


def _message_at(file: FileDescriptor, indexes: tuple[int, ...]) -> Descriptor:
    messages = list(file.message_types_by_name.values())
    found: Descriptor | None = None
    for index in indexes:
        if index >= len(messages):
            raise UnreadableMessageError(f"The schema has no message at {list(indexes)}.")
        found = messages[index]
        messages = list(found.nested_types)
    if found is None:
        raise UnreadableMessageError("A Protobuf message needs at least one message index.")
    return found


def _message_converter(descriptor: Descriptor, known: dict[str, _Convert]) -> _Convert:
    """Return what makes JSON of a message; each type is worked out once, so it may be recursive."""
    special = _SPECIAL.get(descriptor.full_name)
    if special is not None:
        return special
    name = descriptor.full_name

    def convert_message(message: Message) -> Any:
        return known[name](message)

    if name not in known:
        # A message may hold itself: its name must be known before its fields are looked at.
        known[name] = convert_message
        known[name] = _fields_converter(descriptor, known)
    return convert_message


def _fields_converter(descriptor: Descriptor, known: dict[str, _Convert]) -> _Convert:
    """Return what makes a dict of a message's fields, those that it holds.

    Plain scalars are told from the others once: for them a value needs no call of its own.
    """
    names = {field.number: field.name for field in descriptor.fields}
    converters = {
        field.number: convert
        for field in descriptor.fields
        if (convert := _field_converter(field, known)) is not None
    }

    def convert_fields(message: Message) -> dict[str, Any]:
        decoded = {}
        for field, value in message.ListFields():
            number = field.number
            # An extension is no field of the message's own; nobody asked for it.
            if number in names:
                convert = converters.get(number)
                decoded[names[number]] = value if convert is None else convert(value)
        return decoded

    return convert_fields


def _field_converter(field: FieldDescriptor, known: dict[str, _Convert]) -> _Convert | None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map_converter(field.message_type, known)
    convert = _value_converter(field, known)
    if not field.is_repeated:
        return convert
    if convert is None:
        return list
    return lambda values: [convert(value) for value in values]


def _map_converter(entry: Descriptor, known: dict[str, _Convert]) -> _Convert:
    convert = _value_converter(entry.fields_by_name["value"], known) or _same

    def convert_map(values: Mapping[Any, Any]) -> dict[str, Any]:
        return {_key_text(key): convert(values[key]) for key in values}

    return convert_map


def _value_converter(field: FieldDescriptor, known: dict[str, _Convert]) -> _Convert | None:
    """Return what makes JSON of one value, or None where it is JSON already."""
    if field.message_type is not None:
        return _message_converter(field.message_type, known)
    if field.type == FieldDescriptor.TYPE_ENUM:
        names = {value.number: value.name for value in field.enum_type.values}
        if field.enum_type.full_name == "google.protobuf.NullValue":
            return _null
        # proto3 keeps numbers that it has no name for.
        return lambda number: names.get(number, number)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _base64_text
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return _shortest
    return _finite if field.type == FieldDescriptor.TYPE_DOUBLE else None


def _same(value: Any) -> Any:
    return value


def _null(_value: Any) -> None:
    return None


def _base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _key_text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _finite(number: float) -> float | str:
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _shortest(number: float) -> float | str:
    """Return a number of 32 bits with as few digits as tell it from its neighbours."""
    if not math.isfinite(number):
        return _finite(number)
    for digits in (6, 7, 8):
        shorter = float(f"{number:.{digits}g}")
        if struct.unpack("f", struct.pack("f", shorter))[0] == number:
            return shorter
    # So many tell any two of them apart.
    return float(f"{number:.9g}")


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    """Return a second since 1970 as ISO text without a zone; a stream repeats its seconds."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()


def _timestamp_text(message: Any) -> str:
    nanos = message.nanos
    try:
        second = _second_text(message.seconds)
    except OverflowError as error:
        raise UnreadableMessageError(
            f"{message.seconds} seconds since 1970 lie outside the years 1 to 9999."
        ) from error
    if nanos == 0:
        return f"{second}Z"
    if not 0 < nanos < _NANOS_PER_SECOND:
        raise UnreadableMessageError(f"A timestamp cannot have {nanos} nanoseconds.")
    return f"{second}.{_fraction(nanos)}Z"


def _duration_text(message: Any) -> str:
    total = message.seconds * _NANOS_PER_SECOND + message.nanos
    seconds, nanos = divmod(abs(total), _NANOS_PER_SECOND)
    sign = "-" if total < 0 else ""
    return f"{sign}{seconds}.{_fraction(nanos)}s" if nanos else f"{sign}{seconds}s"


def _fraction(nanos: int) -> str:
    """Return nanoseconds as 3, 6 or 9 digits, as few as say them."""
    if nanos % 1_000_000 == 0:
        return f"{nanos // 1_000_000:03d}"
    if nanos % 1_000 == 0:
        return f"{nanos // 1_000:06d}"
    return f"{nanos:09d}"


def _struct(message: Any) -> dict[str, Any]:
    fields = message.fields
    return {key: _struct_value(fields[key]) for key in fields}


def _struct_list(message: Any) -> list[Any]:
    return [_struct_value(value) for value in message.values]


def _struct_value(message: Any) -> Any:
    convert = _KINDS_OF_VALUE.get(message.WhichOneof("kind"))
    return None if convert is None else convert(message)


def _number(message: Any) -> float | int | str:
    """Return a Struct's number; JSON does not tell 3 from 3.0, and people write 3."""
    number: float = message.number_value
    # Beyond 2^53 a double counts in steps larger than one: there it stays what it is.
    if number.is_integer() and abs(number) < 2**53:
        return int(number)
    return _finite(number)


def _wrapped(message: Any) -> Any:
    return message.value


_KINDS_OF_VALUE: Final[dict[str | None, _Convert]] = {
    "number_value": _number,
    "string_value": lambda message: message.string_value,
    "bool_value": lambda message: message.bool_value,
    "struct_value": lambda message: _struct(message.struct_value),
    "list_value": lambda message: _struct_list(message.list_value),
}
_SPECIAL: Final[dict[str, _Convert]] = {
    "google.protobuf.Timestamp": _timestamp_text,
    "google.protobuf.Duration": _duration_text,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _struct_value,
    "google.protobuf.ListValue": _struct_list,
    "google.protobuf.FieldMask": lambda message: ",".join(message.paths),
    "google.protobuf.DoubleValue": lambda message: _finite(message.value),
    "google.protobuf.FloatValue": lambda message: _shortest(message.value),
    "google.protobuf.BytesValue": lambda message: _base64_text(message.value),
    **{
        f"google.protobuf.{name}Value": _wrapped
        for name in ("Int64", "UInt64", "Int32", "UInt32", "Bool", "String")
    },
}
