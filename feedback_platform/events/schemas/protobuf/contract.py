"""The contract as Protobuf: one message for every event, generated and never written by hand."""

from __future__ import annotations

from typing import Final

from google.protobuf import struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from feedback_platform.events.contract import FIELDS, FieldKind

# Part of the type's full name: it stays while new fields only add to what there is.
PACKAGE: Final = "feedback.events.v1"
MESSAGE: Final = "Event"
# The subject of a topic called feedback-events, by the rule that clients follow unless told.
SUBJECT: Final = "feedback-events-value"

_TIMESTAMP: Final = timestamp_pb2.DESCRIPTOR
_STRUCT: Final = struct_pb2.DESCRIPTOR
_SCALARS: Final = {
    FieldKind.STRING: FieldDescriptorProto.TYPE_STRING,
    FieldKind.DOUBLE: FieldDescriptorProto.TYPE_DOUBLE,
    FieldKind.INTEGER: FieldDescriptorProto.TYPE_INT64,
}
_MESSAGES: Final = {
    FieldKind.TIMESTAMP: ".google.protobuf.Timestamp",
    FieldKind.JSON: ".google.protobuf.Struct",
}
# Where things stand in a descriptor, as its comments name them.
_MESSAGE_TYPE: Final = FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER
_FIELD: Final = 2


def contract_file() -> FileDescriptorProto:
    """Return the contract's .proto file; every scalar is `optional`, so that 0 is told from none.

    The types of events are values of a field and not messages: a new type needs no new code at
    either end, and a topic holds events of all types in their order.
    """
    file = FileDescriptorProto(
        name="feedback/events/v1/event.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[_STRUCT.name, _TIMESTAMP.name],
    )
    event = file.message_type.add(name=MESSAGE)
    comments = file.source_code_info.location
    comments.add(
        path=[_MESSAGE_TYPE, 0],
        leading_comments=" One event: what a user did or said. Which fields it needs depends on its"
        " type.\n",
    )
    for index, field in enumerate(FIELDS.values()):
        added = event.field.add(
            name=field.name,
            number=field.number,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
        )
        if field.kind in _MESSAGES:
            added.type = FieldDescriptorProto.TYPE_MESSAGE
            added.type_name = _MESSAGES[field.kind]
        else:
            added.type = _SCALARS[field.kind]
            added.proto3_optional = True
            added.oneof_index = len(event.oneof_decl)
            event.oneof_decl.add(name=f"_{field.name}")
        comments.add(
            path=[_MESSAGE_TYPE, 0, _FIELD, index], leading_comments=f" {field.description}\n"
        )
    return file
