"""Where a consumer finds the schema that wrote a message: the embedded registry or another one."""

from __future__ import annotations

from typing import Protocol

from feedback_platform.errors import PermanentError
from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.schemas.schema import Schema, SchemaReference
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings


class ForeignSchemaError(PermanentError):
    """A schema in a language that the platform does not read."""


class SchemaSource(Protocol):
    """Whoever keeps the schemas."""

    def schema(self, schema_id: int) -> Schema:
        """Return the schema of an id.

        Raises:
            SchemaNotFoundError: there is none.
            ForeignSchemaError: it is written in another language.
            TransientError: nobody can tell now.
        """

    def referenced(self, reference: SchemaReference) -> Schema:
        """Return a schema that another one imports.

        Raises:
            SchemaNotFoundError: there is none.
            ForeignSchemaError: it is written in another language.
            TransientError: nobody can tell now.
        """


def schema_source(settings: Settings, lake: Lake) -> SchemaSource:
    """Return the registry that an installation uses."""
    if settings.schema_registry_url is None:
        return EmbeddedSchemas(lake)
    # Confluent's client takes a second to import, most of it for OAuth.
    from feedback_platform.ingestion.external_schemas import ExternalSchemas  # noqa: PLC0415

    return ExternalSchemas(settings.schema_registry_url)


class EmbeddedSchemas:
    """The platform's own registry, read from the lake without a server."""

    def __init__(self, lake: Lake) -> None:
        self._registry = SchemaRegistry(lake)

    def schema(self, schema_id: int) -> Schema:
        """Return the schema of an id."""
        return self._registry.schema(schema_id)

    def referenced(self, reference: SchemaReference) -> Schema:
        """Return a schema that another one imports."""
        return self._registry.resolve(reference)
