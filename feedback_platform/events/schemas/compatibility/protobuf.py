"""Why a reader's Protobuf schema may misread a message that a writer's wrote.

On the wire a field is its number and a way of being encoded; names do not travel. Fields come and
go: a reader keeps what it does not know, and misses what it does not find. What must not happen is
that a number means something else, or that a message or a required field is missing.
https://protobuf.dev/programming-guides/proto3/#updating
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from feedback_platform.events.schemas.protobuf.source import ProtobufFile

_MAX_MESSAGES: Final = 50
_F: TypeAlias = FieldDescriptorProto
# Kinds that are encoded alike, so that each reads what the other wrote.
_INTERCHANGEABLE: Final = (
    {_F.TYPE_INT32, _F.TYPE_INT64, _F.TYPE_UINT32, _F.TYPE_UINT64, _F.TYPE_BOOL, _F.TYPE_ENUM},
    {_F.TYPE_SINT32, _F.TYPE_SINT64},
    {_F.TYPE_FIXED32, _F.TYPE_SFIXED32},
    {_F.TYPE_FIXED64, _F.TYPE_SFIXED64},
    {_F.TYPE_STRING, _F.TYPE_BYTES},
)
# A reader of one takes the last of many; packed numbers it cannot take apart.
_COUNTED_BY_TAG: Final = {_F.TYPE_STRING, _F.TYPE_BYTES, _F.TYPE_MESSAGE}


def protobuf_incompatibilities(reader: ProtobufFile, writer: ProtobufFile) -> list[str]:
    """Return why a reader may misread what a writer wrote; nothing where it cannot.

    The types of both files are compared, and those of other files that their fields hold. A type is
    known by its name within its package: a package that was renamed changes nothing on the wire.
    """
    comparison = _Comparison(_Types(reader), _Types(writer))
    return list(islice(dict.fromkeys(comparison.messages()), _MAX_MESSAGES))


class _Types:
    """The types that a file declares or imports, by full name with a leading dot."""

    def __init__(self, parsed: ProtobufFile) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.package = _prefix(parsed.file)
        for file in (*parsed.imported, parsed.file):
            for message in file.message_type:
                self._add(_prefix(file), message)
        # A message of a map's entries is no type of its own; its field is compared as a map.
        self.declared = [
            name for message in parsed.file.message_type for name in _names(self.package, message)
        ]

    def _add(self, prefix: str, message: DescriptorProto) -> None:
        name = f"{prefix}.{message.name}"
        self.messages[name] = message
        for nested in message.nested_type:
            self._add(name, nested)

    def relative(self, name: str) -> str:
        """Return a name without the file's own package."""
        return name.removeprefix(f"{self.package}.")

    def full(self, relative: str) -> str:
        """Return the whole of a name that is relative to the file's package, or whole already."""
        return relative if relative.startswith(".") else f"{self.package}.{relative}"


class _Comparison:
    def __init__(self, reader: _Types, writer: _Types) -> None:
        self._reader = reader
        self._writer = writer
        self._compared: set[tuple[str, str]] = set()

    def messages(self) -> Iterator[str]:
        for name in self._writer.declared:
            relative = self._writer.relative(name)
            counterpart = self._reader.full(relative)
            if counterpart in self._reader.messages:
                yield from self._compare(counterpart, name)
            else:
                yield f"message {relative}: it is gone"

    def _compare(self, reader_name: str, writer_name: str) -> Iterator[str]:
        """Compare two messages, and the messages that their fields hold; each pair once."""
        open_pairs = [(reader_name, writer_name)]
        while open_pairs:
            pair = open_pairs.pop()
            if pair in self._compared:
                continue
            self._compared.add(pair)
            reader = self._reader.messages[pair[0]]
            writer = self._writer.messages[pair[1]]
            where = f"message {self._writer.relative(pair[1])}"
            read_fields = {field.number: field for field in reader.field}
            written_fields = {field.number: field for field in writer.field}
            yield from _required_refusals(read_fields, written_fields, where)
            yield from _oneof_refusals(reader, writer, where)
            for number, written in written_fields.items():
                read = read_fields.get(number)
                if read is None:
                    continue
                field = f"{where}, field {number} ({_renamed(read, written)})"
                yield from self._field_refusals(read, written, field)
                if read.type == written.type == _F.TYPE_MESSAGE:
                    open_pairs.extend(self._held(read, written))

    def _field_refusals(self, read: _F, written: _F, where: str) -> Iterator[str]:
        if read.type != written.type and not any(
            {read.type, written.type} <= group for group in _INTERCHANGEABLE
        ):
            yield f"{where}: it is {_kind(read)} now, and was {_kind(written)}"
            return
        was_repeated = written.label == _F.LABEL_REPEATED
        is_repeated = read.label == _F.LABEL_REPEATED
        if was_repeated != is_repeated and not {read.type, written.type} <= _COUNTED_BY_TAG:
            before, now = ("repeated", "single") if was_repeated else ("single", "repeated")
            yield f"{where}: it is {now} now, and was {before}"
        if read.type == written.type == _F.TYPE_MESSAGE:
            kept = self._reader.relative(read.type_name) == self._writer.relative(written.type_name)
            # The entries of a map are messages whose name follows from the field's.
            if not kept and not self._are_entries(read, written):
                yield f"{where}: it is {_kind(read)} now, and was {_kind(written)}"

    def _are_entries(self, read: _F, written: _F) -> bool:
        return bool(
            self._reader.messages[read.type_name].options.map_entry
            and self._writer.messages[written.type_name].options.map_entry
        )

    def _held(self, read: _F, written: _F) -> Iterator[tuple[str, str]]:
        if self._reader.relative(read.type_name) == self._writer.relative(
            written.type_name
        ) or self._are_entries(read, written):
            yield read.type_name, written.type_name


def _required_refusals(read: dict[int, _F], written: dict[int, _F], where: str) -> Iterator[str]:
    for number, field in read.items():
        before = written.get(number)
        was_required = before is not None and before.label == _F.LABEL_REQUIRED
        if field.label == _F.LABEL_REQUIRED and not was_required:
            yield f"{where}, field {number} ({field.name}): it is required now"


def _oneof_refusals(reader: DescriptorProto, writer: DescriptorProto, where: str) -> Iterator[str]:
    """Say which fields exclude each other now, though a writer may have set them together."""
    written = {field.number: field for field in writer.field}
    # By oneof of the reader, then by what could be set together before.
    moved: dict[int, dict[object, list[str]]] = {}
    for field in reader.field:
        before, index = written.get(field.number), _oneof_of(field)
        if before is not None and index is not None:
            together = _oneof_of(before)
            key = ("alone", field.number) if together is None else ("oneof", together)
            moved.setdefault(index, {}).setdefault(key, []).append(field.name)
    for index, groups in sorted(moved.items()):
        if len(groups) > 1:
            named = f"{where}, oneof {reader.oneof_decl[index].name}"
            names = ", ".join(name for group in groups.values() for name in group)
            yield f"{named}: {names} exclude each other now, and did not before"
    kept = {field.number for field in reader.field}
    lost: dict[int, list[str]] = {}
    for field in writer.field:
        if (index := _oneof_of(field)) is not None and field.number not in kept:
            lost.setdefault(index, []).append(field.name)
    for index, names_lost in sorted(lost.items()):
        named = f"{where}, oneof {writer.oneof_decl[index].name}"
        yield f"{named}: {', '.join(names_lost)} is gone, so the choice would be lost"


def _oneof_of(field: _F) -> int | None:
    """Return the number of the oneof that a field belongs to; `optional` makes none of its own."""
    return (
        field.oneof_index if field.HasField("oneof_index") and not field.proto3_optional else None
    )


def _kind(field: _F) -> str:
    named = str(field.type_name).removeprefix(".")
    return named or str(_F.Type.Name(field.type)).removeprefix("TYPE_").lower()


def _renamed(read: _F, written: _F) -> str:
    return read.name if read.name == written.name else f"{read.name}, formerly {written.name}"


def _prefix(file: FileDescriptorProto) -> str:
    return f".{file.package}" if file.package else ""


def _names(prefix: str, message: DescriptorProto) -> Iterator[str]:
    if message.options.map_entry:
        return
    name = f"{prefix}.{message.name}"
    yield name
    for nested in message.nested_type:
        yield from _names(name, nested)
