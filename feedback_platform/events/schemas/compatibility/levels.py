"""Whether a subject takes a new schema: the levels, and which versions each of them looks at."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, TypeVar

from feedback_platform.events.schemas.compatibility.budget import Budget, TooComplexError
from feedback_platform.events.schemas.compatibility.documents import Document
from feedback_platform.events.schemas.compatibility.json_schemas import json_incompatibilities
from feedback_platform.events.schemas.compatibility.protobuf import protobuf_incompatibilities
from feedback_platform.events.schemas.json_schema.source import (
    parse_json_references,
    parse_json_schema,
)
from feedback_platform.events.schemas.protobuf.source import ProtobufFile, parse_protobuf
from feedback_platform.events.schemas.schema import (
    ResolveReference,
    Schema,
    SchemaReference,
    SchemaType,
)

# How long a text has to be for its reading to take as long as a step of a comparison.
_CHARACTERS_A_STEP: Final = 10

_T = TypeVar("_T")


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

    def compared(self, versions: Sequence[_T]) -> Sequence[_T]:
        """Return those of a subject's versions, oldest first, that a new one is compared with."""
        if self is Level.NONE:
            return []
        return versions if self.is_transitive else versions[-1:]


def incompatibilities(reader: Schema, writer: Schema, resolve: ResolveReference) -> list[str]:
    """Return why a reader's schema may refuse or misread what a writer's wrote.

    Args:
        reader: the schema by which is read.
        writer: the schema by which was written.
        resolve: finds what they import.

    Raises:
        InvalidSchemaError: one of them cannot be read.
    """
    budget = Budget()
    try:
        return _compare(_parsed(reader, resolve, budget), _parsed(writer, resolve, budget), budget)
    except TooComplexError as error:
        return [_given_up(error)]


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
    chosen = level.compared(versions)
    # One for all of them: a request may not take longer because there are many versions.
    budget = Budget()
    new: Document | ProtobufFile | None = None
    found: list[str] = []
    for number, version in reversed(chosen):
        try:
            new = new or _parsed(candidate, resolve, budget)
            old = _parsed(version, resolve, budget)
            if level.is_backward:
                found += [f"Against version {number}: {it}" for it in _compare(new, old, budget)]
            if level.is_forward:
                reasons = _compare(old, new, budget)
                found += [f"For readers of version {number}: {reason}" for reason in reasons]
        except TooComplexError as error:
            # Nothing is left for the versions before it either.
            return [*found, f"Against version {number}: {_given_up(error)}"]
    return found


def _parsed(schema: Schema, resolve: ResolveReference, budget: Budget) -> Document | ProtobufFile:
    """Read a schema and what it imports; that takes its share of the work, too."""

    def counted(reference: SchemaReference) -> Schema:
        referenced = resolve(reference)
        budget.spend(len(referenced.text) // _CHARACTERS_A_STEP)
        return referenced

    budget.spend(len(schema.text) // _CHARACTERS_A_STEP)
    if schema.schema_type is SchemaType.PROTOBUF:
        return parse_protobuf(schema, counted)
    return Document(parse_json_schema(schema.text), parse_json_references(schema, counted))


def _compare(
    reader: Document | ProtobufFile, writer: Document | ProtobufFile, budget: Budget
) -> list[str]:
    if isinstance(reader, ProtobufFile) and isinstance(writer, ProtobufFile):
        return protobuf_incompatibilities(reader, writer)
    if isinstance(reader, Document) and isinstance(writer, Document):
        return json_incompatibilities(reader, writer, budget)
    now, before = (
        SchemaType.JSON if isinstance(parsed, Document) else SchemaType.PROTOBUF
        for parsed in (reader, writer)
    )
    return [f"it is {now} now, and was {before}"]


def _given_up(error: TooComplexError) -> str:
    return (
        f"{error}: they are too complex to be compared. Write them with fewer alternatives, values "
        "or references; or set the level to NONE"
    )
