"""What a schema imports, in any language: what is there, in the same one, and not too much."""

from __future__ import annotations

from typing import Final

from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    ResolveReference,
    Schema,
    SchemaNotFoundError,
    SchemaReference,
    SchemaType,
)

# At any remove: whoever reads the schema has to read all of them.
MAX_REFERENCES: Final = 500
_MAX_CHARACTERS: Final = 2_000_000


class References:
    """Finds schemas that others import, and counts them."""

    def __init__(self, schema_type: SchemaType, resolve: ResolveReference) -> None:
        self._type = schema_type
        self._resolve = resolve
        self._count = 0
        self._characters = 0

    def find(self, reference: SchemaReference) -> Schema:
        """Return the schema that a reference names.

        Raises:
            InvalidSchemaError: it is not there, is of another type, or is one too many.
        """
        self._count += 1
        if self._count > MAX_REFERENCES:
            raise InvalidSchemaError(f"The schema imports more than {MAX_REFERENCES} others.")
        try:
            found = self._resolve(reference)
        except SchemaNotFoundError as error:
            raise InvalidSchemaError(
                f"The reference {reference.name!r} is missing: {error}"
            ) from error
        if found.schema_type is not self._type:
            raise InvalidSchemaError(
                f"The reference {reference.name!r} leads to a schema of type {found.schema_type}, "
                f"not of type {self._type}."
            )
        self._characters += len(found.text)
        if self._characters > _MAX_CHARACTERS:
            raise InvalidSchemaError(
                f"The schema imports others of more than {_MAX_CHARACTERS:,} characters in all."
            )
        return found
