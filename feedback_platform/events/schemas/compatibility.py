"""Whether a subject takes a new schema: the levels, and which versions each of them looks at."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from feedback_platform.events.schemas.compatibility_json import json_incompatibilities
from feedback_platform.events.schemas.compatibility_protobuf import protobuf_incompatibilities
from feedback_platform.events.schemas.json_source import parse_json_references, parse_json_schema
from feedback_platform.events.schemas.protobuf_source import parse_protobuf
from feedback_platform.events.schemas.schema import ResolveReference, Schema, SchemaType


class Level(StrEnum):
    """What a subject promises about its versions.

    BACKWARD: the new version reads what the one before it wrote. FORWARD: the one before it reads
    what the new version writes. FULL: both. TRANSITIVE: not only the one before it, but all.
    """

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def is_transitive(self) -> bool:
        """Whether all versions count, and not only the latest."""
        return self.endswith("_TRANSITIVE")

    @property
    def is_backward(self) -> bool:
        """Whether the new version has to read what older ones wrote."""
        return self.startswith(("BACKWARD", "FULL"))

    @property
    def is_forward(self) -> bool:
        """Whether older versions have to read what the new one writes."""
        return self.startswith(("FORWARD", "FULL"))


def incompatibilities(reader: Schema, writer: Schema, resolve: ResolveReference) -> list[str]:
    """Return why a reader's schema may refuse or misread what a writer's wrote.

    Args:
        reader: the schema by which is read.
        writer: the schema by which was written.
        resolve: finds what they import.

    Raises:
        InvalidSchemaError: one of them cannot be read.
    """
    if reader.schema_type != writer.schema_type:
        return [f"it is {reader.schema_type} now, and was {writer.schema_type}"]
    if reader.schema_type is SchemaType.PROTOBUF:
        return protobuf_incompatibilities(
            parse_protobuf(reader, resolve), parse_protobuf(writer, resolve)
        )
    return json_incompatibilities(
        parse_json_schema(reader.text),
        parse_json_schema(writer.text),
        reader_references=parse_json_references(reader, resolve),
        writer_references=parse_json_references(writer, resolve),
    )


def violations(
    level: Level,
    candidate: Schema,
    versions: Sequence[tuple[int, Schema]],
    resolve: ResolveReference,
) -> list[str]:
    """Return why a level refuses a new schema after some versions.

    Args:
        level: of the subject.
        candidate: the new schema.
        versions: the numbers and schemas of the versions so far, oldest first.
        resolve: finds what they import.

    Returns:
        A sentence for each reason, with the version that it concerns; none if it may be added.
    """
    found: list[str] = []
    for number, version in reversed(versions if level.is_transitive else versions[-1:]):
        if level.is_backward:
            reasons = incompatibilities(candidate, version, resolve)
            found += [f"Against version {number}: {reason}" for reason in reasons]
        if level.is_forward:
            reasons = incompatibilities(version, candidate, resolve)
            found += [f"For readers of version {number}: {reason}" for reason in reasons]
    return found
