"""A descriptor as .proto text: always the same text for the same descriptor, comments included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message

from feedback_platform.events.schemas.protobuf.source import default_json_name

_INDENT: Final = "  "
_END_OF_RANGES: Final = 536870912
_END_OF_ENUM_RANGES: Final = 2147483647
_LABELS: Final = {
    FieldDescriptorProto.LABEL_OPTIONAL: "optional ",
    FieldDescriptorProto.LABEL_REQUIRED: "required ",
    FieldDescriptorProto.LABEL_REPEATED: "repeated ",
}
_KINDS: Final = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}
_Path = tuple[int, ...]


def proto_text(file: FileDescriptorProto) -> str:
    """Return a file as .proto source.

    Options that are messages themselves, extensions and groups are not written: a caller that
    cannot do without them compares what the text compiles to with what it had.
    """
    return "\n".join(_Printer(file).lines()).rstrip("\n") + "\n"


class _Printer:
    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._is_proto3 = file.syntax == "proto3"
        self._comments: dict[_Path, str] = {
            tuple(location.path): location.leading_comments
            for location in file.source_code_info.location
            if location.leading_comments
        }
        # Names that a relative name may meet before it finds the package that it means.
        self._names = {*file.package.split(".")[1:], *_declared_names(file.message_type)}
        self._names.update(enum.name for enum in file.enum_type)

    def lines(self) -> Iterator[str]:
        file = self._file
        yield f'syntax = "{file.syntax or "proto2"}";'
        yield ""
        if file.package:
            yield f"package {file.package};"
            yield ""
        for index, name in enumerate(file.dependency):
            public = "public " if index in file.public_dependency else ""
            weak = "weak " if index in file.weak_dependency else ""
            yield f'import {public}{weak}"{name}";'
        if file.dependency:
            yield ""
        options = list(_option_texts(file.options))
        yield from (f"option {option};" for option in options)
        if options:
            yield ""
        for index, enum in enumerate(file.enum_type):
            yield from self._enum(enum, (5, index), "")
            yield ""
        for index, message in enumerate(file.message_type):
            yield from self._message(message, (4, index), "")
            yield ""
        for index, service in enumerate(file.service):
            yield from self._service(service, (6, index))
            yield ""

    def _comment(self, path: _Path, indent: str) -> Iterator[str]:
        for line in self._comments.get(path, "").splitlines():
            yield f"{indent}//{line}".rstrip()

    def _message(self, message: DescriptorProto, path: _Path, indent: str) -> Iterator[str]:
        yield from self._comment(path, indent)
        yield f"{indent}message {message.name} {{"
        inner = indent + _INDENT
        yield from (f"{inner}option {option};" for option in _option_texts(message.options))
        entries = {}
        for index, nested in enumerate(message.nested_type):
            if nested.options.map_entry:
                entries[nested.name] = nested
            else:
                yield from self._message(nested, (*path, 3, index), inner)
        for index, enum in enumerate(message.enum_type):
            yield from self._enum(enum, (*path, 4, index), inner)
        for reserved in message.reserved_range:
            yield f"{inner}reserved {_range(reserved.start, reserved.end - 1, _END_OF_RANGES - 1)};"
        yield from (f'{inner}reserved "{name}";' for name in message.reserved_name)
        for extensions in message.extension_range:
            text = _range(extensions.start, extensions.end - 1, _END_OF_RANGES - 1)
            yield f"{inner}extensions {text};"
        yield from self._fields(message, path, inner, entries)
        yield f"{indent}}}"

    def _fields(
        self,
        message: DescriptorProto,
        path: _Path,
        inner: str,
        entries: dict[str, DescriptorProto],
    ) -> Iterator[str]:
        choices: dict[int, list[int]] = {}
        for index, field in enumerate(message.field):
            if _is_choice(field):
                choices.setdefault(field.oneof_index, []).append(index)
        for index, field in enumerate(message.field):
            if not _is_choice(field):
                yield from self._field(field, (*path, 2, index), inner, entries)
            elif field.oneof_index in choices:
                chosen = choices.pop(field.oneof_index)
                yield from self._oneof(message, field.oneof_index, chosen, path, inner)

    def _oneof(
        self, message: DescriptorProto, number: int, chosen: list[int], path: _Path, indent: str
    ) -> Iterator[str]:
        yield from self._comment((*path, 8, number), indent)
        yield f"{indent}oneof {message.oneof_decl[number].name} {{"
        for index in chosen:
            place = (*path, 2, index)
            yield from self._field(message.field[index], place, indent + _INDENT, {}, label="")
        yield f"{indent}}}"

    def _field(
        self,
        field: FieldDescriptorProto,
        path: _Path,
        indent: str,
        entries: dict[str, DescriptorProto],
        *,
        label: str | None = None,
    ) -> Iterator[str]:
        yield from self._comment(path, indent)
        entry = entries.get(field.type_name.rpartition(".")[2])
        if entry is not None:
            key, value = (self._kind(part) for part in entry.field)
            kind, label = f"map<{key}, {value}>", ""
        else:
            kind = self._kind(field)
        if label is None:
            label = _LABELS[field.label]
            if self._is_proto3 and label == "optional " and not field.proto3_optional:
                label = ""
        options = list(_option_texts(field.options))
        if field.HasField("default_value"):
            options.append(f"default = {_default_text(field)}")
        if _has_own_json_name(field):
            options.append(f"json_name = {_quoted(field.json_name)}")
        suffix = f" [{', '.join(options)}]" if options else ""
        yield f"{indent}{label}{kind} {field.name} = {field.number}{suffix};"

    def _kind(self, field: FieldDescriptorProto) -> str:
        return self._name(field.type_name) if field.type_name else _KINDS[field.type]

    def _name(self, full_name: str) -> str:
        """Return how the file may call a type: without its leading dot, where that is clear."""
        first = full_name.removeprefix(".").partition(".")[0]
        return full_name if first in self._names else full_name.removeprefix(".")

    def _enum(self, enum: EnumDescriptorProto, path: _Path, indent: str) -> Iterator[str]:
        yield from self._comment(path, indent)
        yield f"{indent}enum {enum.name} {{"
        inner = indent + _INDENT
        yield from (f"{inner}option {option};" for option in _option_texts(enum.options))
        for reserved in enum.reserved_range:
            yield f"{inner}reserved {_range(reserved.start, reserved.end, _END_OF_ENUM_RANGES)};"
        yield from (f'{inner}reserved "{name}";' for name in enum.reserved_name)
        for index, value in enumerate(enum.value):
            yield from self._comment((*path, 2, index), inner)
            options = ", ".join(_option_texts(value.options))
            suffix = f" [{options}]" if options else ""
            yield f"{inner}{value.name} = {value.number}{suffix};"
        yield f"{indent}}}"

    def _service(self, service: ServiceDescriptorProto, path: _Path) -> Iterator[str]:
        yield from self._comment(path, "")
        yield f"service {service.name} {{"
        for index, method in enumerate(service.method):
            yield from self._comment((*path, 2, index), _INDENT)
            takes = ("stream " if method.client_streaming else "") + self._name(method.input_type)
            gives = ("stream " if method.server_streaming else "") + self._name(method.output_type)
            yield f"{_INDENT}rpc {method.name}({takes}) returns ({gives});"
        yield "}"


def _declared_names(messages: Iterable[DescriptorProto]) -> Iterator[str]:
    for message in messages:
        yield message.name
        for part in (message.field, message.enum_type, message.oneof_decl, message.extension):
            yield from (declared.name for declared in part)
        yield from _declared_names(message.nested_type)


def _is_choice(field: FieldDescriptorProto) -> bool:
    """Return whether a field stands within a oneof; `optional` makes one that is not written."""
    return field.HasField("oneof_index") and not field.proto3_optional


def _has_own_json_name(field: FieldDescriptorProto) -> bool:
    return field.json_name not in ("", default_json_name(field.name))


def _option_texts(options: Message) -> Iterable[str]:
    for option, value in options.ListFields():
        if option.name == "map_entry" or option.is_extension or option.message_type is not None:
            continue
        for single in value if option.is_repeated else [value]:
            yield f"{option.name} = {_option_text(option, single)}"


def _option_text(option: FieldDescriptor, value: Any) -> str:
    if option.enum_type is not None:
        name: str = option.enum_type.values_by_number[value].name
        return name
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else str(value)


def _default_text(field: FieldDescriptorProto) -> str:
    if field.type == FieldDescriptorProto.TYPE_STRING:
        return _quoted(field.default_value)
    if field.type == FieldDescriptorProto.TYPE_BYTES:
        # A descriptor holds the bytes escaped already, as C does.
        return f'"{field.default_value}"'
    return str(field.default_value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _range(first: int, last: int, end: int) -> str:
    if first == last:
        return str(first)
    return f"{first} to {'max' if last == end else last}"
