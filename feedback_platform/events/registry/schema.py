"""A schema as a registry keeps it: checked, and known again however it is written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import orjson
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from feedback_platform.events.schemas.json_schema.source import (
    canonical_json,
    parse_json_references,
    parse_json_schema,
)
from feedback_platform.events.schemas.protobuf.source import (
    canonical_bytes,
    is_serialized,
    parse_protobuf,
    serialized,
)
from feedback_platform.events.schemas.protobuf.text import proto_text
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    ResolveReference,
    Schema,
    SchemaType,
)


@dataclass(frozen=True)
class StoredSchema:
    """A schema as it is kept.

    Attributes:
        schema: as readers get it.
        fingerprint: what two schemas share exactly if they say the same.
        descriptor: of a Protobuf schema, its FileDescriptorProto in base64.
    """

    schema: Schema
    fingerprint: str
    descriptor: str | None = None

    @property
    def comparable(self) -> Schema:
        """The schema in the form that is quickest to read."""
        return replace(self.schema, text=self.descriptor) if self.descriptor else self.schema


def stored_schema(schema: Schema, resolve: ResolveReference) -> StoredSchema:
    """Check a schema and return it as it is kept.

    JSON Schemas that differ in white space or in the order of members are one schema, and so are a
    .proto source and its descriptor. A descriptor is kept as a source, if that says the same.

    Raises:
        InvalidSchemaError: it is no schema, or imports what is not there.
    """
    references = sorted((r.name, r.subject, r.version) for r in schema.references)
    identity = orjson.dumps([schema.schema_type, references])
    if schema.schema_type is SchemaType.JSON:
        parsed = parse_json_schema(schema.text)
        parse_json_references(schema, resolve)
        identity += canonical_json(parsed)
        return StoredSchema(schema, hashlib.sha256(identity).hexdigest())
    file = parse_protobuf(schema, resolve).file
    canonical = canonical_bytes(file)
    bare = FileDescriptorProto()
    bare.CopyFrom(file)
    bare.ClearField("source_code_info")
    if is_serialized(schema.text):
        source = replace(schema, text=proto_text(file))
        if _says(source, canonical, resolve):
            schema = source
    return StoredSchema(schema, hashlib.sha256(identity + canonical).hexdigest(), serialized(bare))


def _says(source: Schema, canonical: bytes, resolve: ResolveReference) -> bool:
    try:
        return canonical_bytes(parse_protobuf(source, resolve).file) == canonical
    except InvalidSchemaError:
        return False
