"""The schemas of a registry with Confluent's API, through Confluent's client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from confluent_kafka.schema_registry import Schema as ConfluentSchema
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from feedback_platform.errors import FeedbackPlatformError, PermanentError, TransientError
from feedback_platform.events.schemas.schema import (
    Schema,
    SchemaNotFoundError,
    SchemaReference,
    SchemaType,
)
from feedback_platform.ingestion.schemas import ForeignSchemaError
from feedback_platform.settings import without_credentials

_NO_SUBJECT: Final = 40401
_NO_VERSION: Final = 40402
_NO_SCHEMA: Final = 40403
_UNKNOWN: Final = {_NO_SUBJECT, _NO_VERSION, _NO_SCHEMA}
_REFUSING_STATUS: Final = {401, 403, 404}


class SchemaRegistryUnavailableError(TransientError):
    """The schema registry does not answer as it should."""


class SchemaRegistryAccessError(PermanentError):
    """The schema registry refuses us, or something else answers at its address."""


class ExternalSchemas:
    """A registry with Confluent's API, through Confluent's client."""

    def __init__(self, url: str) -> None:
        # An address may hold credentials; they stay out of messages.
        self._shown = without_credentials(url)
        self._client = SchemaRegistryClient({"url": url, "timeout": 10.0, "max.retries": 1})

    def schema(self, schema_id: int) -> Schema:
        """Return the schema of an id."""
        with self._translated(f"schema {schema_id}"):
            return _known(self._client.get_schema(schema_id))

    def referenced(self, reference: SchemaReference) -> Schema:
        """Return a schema that another one imports."""
        what = f"version {reference.version} of {reference.subject!r}"
        with self._translated(what):
            return _known(self._client.get_version(reference.subject, reference.version).schema)

    def close(self) -> None:
        """End the connections to the registry."""
        self._client.close()

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except FeedbackPlatformError:
            raise
        except SchemaRegistryError as error:
            self._translate(what, error)
        # The client lets its HTTP library's errors through, and those of answers it cannot read.
        except Exception as error:
            raise SchemaRegistryUnavailableError(
                f"The schema registry {self._shown} does not answer a request for {what} "
                f"({type(error).__name__})."
            ) from error

    def _translate(self, what: str, error: SchemaRegistryError) -> NoReturn:
        if error.error_code in _UNKNOWN:
            raise SchemaNotFoundError(
                f"The schema registry {self._shown} has no {what}."
            ) from error
        said = f"answers {error.http_status_code} to a request for {what}"
        if error.http_status_code in _REFUSING_STATUS:
            raise SchemaRegistryAccessError(
                f"The schema registry {self._shown} {said}; check the address and the credentials "
                "in FEEDBACK_SCHEMA_REGISTRY_URL."
            ) from error
        raise SchemaRegistryUnavailableError(
            f"The schema registry {self._shown} {said}."
        ) from error


def _known(found: ConfluentSchema) -> Schema:
    if found.schema_type not in set(SchemaType):
        raise ForeignSchemaError(f"A schema of type {found.schema_type} cannot be read here.")
    references = tuple(
        SchemaReference(str(known.name), str(known.subject), int(known.version or 0))
        for known in found.references or []
    )
    return Schema(found.schema_str or "", SchemaType(found.schema_type), references)
