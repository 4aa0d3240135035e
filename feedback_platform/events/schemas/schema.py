"""A schema as a registry keeps it, and what may be wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from feedback_platform.errors import PermanentError


class SchemaType(StrEnum):
    """In which language a schema is written."""

    JSON = "JSON"
    PROTOBUF = "PROTOBUF"


@dataclass(frozen=True)
class SchemaReference:
    """Another schema that a schema imports, under the name by which it does so."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class Schema:
    """The text of a schema and what it imports.

    Attributes:
        text: JSON Schema; or a .proto source; or, as Confluent's Python client registers it, a
            serialised FileDescriptorProto in base64.
        schema_type: its language.
        references: what it imports; for Protobuf the names are paths of imports.
    """

    text: str
    schema_type: SchemaType
    references: tuple[SchemaReference, ...] = ()


# Returns the schema that a reference names, or raises SchemaNotFoundError.
ResolveReference = Callable[[SchemaReference], Schema]


class InvalidSchemaError(PermanentError):
    """A text that is no schema of its language, or one that imports what is not there."""


class SchemaNotFoundError(PermanentError):
    """No schema under this id, or none of this text under this subject."""


class SubjectNotFoundError(SchemaNotFoundError):
    """No subject of this name."""


class VersionNotFoundError(SchemaNotFoundError):
    """The subject has no such version."""


class IncompatibleSchemaError(PermanentError):
    """A schema that the subject's compatibility level refuses.

    Attributes:
        subject: where it was to be registered.
        messages: every reason, one sentence each.
    """

    def __init__(self, subject: str, messages: list[str]) -> None:
        reasons = " ".join(f"{message.rstrip('.')}." for message in messages)
        super().__init__(f"The schema is incompatible with subject {subject!r}. {reasons}")
        self.subject = subject
        self.messages = messages


def no_references(reference: SchemaReference) -> Schema:
    """Resolve nothing: for schemas that stand alone."""
    raise SchemaNotFoundError(
        f"{reference.name!r} (version {reference.version} of subject {reference.subject!r}) "
        "is not there."
    )
