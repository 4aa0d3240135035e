"""What is wrong with a descriptor that a client made, though a descriptor pool may take it.

A compiler never writes such a one: names that are not full, text that is no Unicode, entries of a
map that are none. All that comes after relies on what compilers write.
"""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import Message


def descriptor_problem(file: FileDescriptorProto) -> str | None:
    """Return what is wrong with a descriptor, None if a compiler may have written it."""
    waiting: list[Message] = [file]
    while waiting:
        part = waiting.pop()
        for field, value in part.ListFields():
            values = value if field.is_repeated else [value]
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                waiting.extend(values)
            elif field.type == FieldDescriptor.TYPE_STRING and bytes in map(type, values):
                # That is how Protobuf's library hands over what it cannot decode.
                return f"{field.full_name} holds {values[0]!r}, which is not Unicode text"
        if isinstance(part, FieldDescriptorProto) and (problem := _problem_of_field(part)):
            return problem
        if isinstance(part, DescriptorProto) and (problem := _problem_of_message(part)):
            return problem
    return None


def _problem_of_field(field: FieldDescriptorProto) -> str | None:
    if not field.HasField("type") or not field.HasField("label"):
        return f"field {field.name!r} has no type or no label"
    if field.type_name and not field.type_name.startswith("."):
        return (
            f"field {field.name!r} names the type {field.type_name!r}; it needs the full name, "
            "which begins with a dot"
        )
    return None


def _problem_of_message(message: DescriptorProto) -> str | None:
    if message.options.map_entry and [field.name for field in message.field] != ["key", "value"]:
        return f"message {message.name!r} is the entry of a map, but is no key and value"
    return None
