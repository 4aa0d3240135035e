"""The schema registry over HTTP, as Confluent's clients speak to one.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.registry.state import LATEST, RegisteredVersion, Version
from feedback_platform.events.schemas.compatibility.levels import Level
from feedback_platform.events.schemas.references import MAX_REFERENCES
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    Schema,
    SchemaNotFoundError,
    SchemaReference,
    SchemaType,
)
from feedback_platform.serving.registry_requests import (
    Call,
    Endpoint,
    RefusedError,
    RegistryHandlers,
    http_error,
    whole_number,
)

_MODE: Final = {"mode": "READWRITE"}
# Clients set the one; what they get to read, and may send back, is the other.
_LEVEL_NAMES: Final = ("compatibility", "compatibilityLevel")


def build_registry_application(registry: SchemaRegistry, api_keys: Mapping[str, str]) -> Starlette:
    """Return the registry's endpoints, to be mounted anywhere.

    Args:
        registry: what they read and change.
        api_keys: secrets of those who may change it; empty: everybody may. Reading is open.
    """
    endpoints = _Endpoints(registry)
    handlers = RegistryHandlers(api_keys)

    def read(path: str, endpoint: Endpoint) -> Route:
        return Route(path, handlers.handler(endpoint), methods=["GET"])

    def write(path: str, endpoint: Endpoint, method: str) -> Route:
        return Route(path, handlers.handler(endpoint, needs_key=True), methods=[method])

    def post(path: str, endpoint: Endpoint, *, needs_key: bool = False) -> Route:
        handler = handlers.handler(endpoint, needs_key=needs_key, reads_schema=True)
        return Route(path, handler, methods=["POST"])

    subject = "/subjects/{subject:path}"
    version = f"{subject}/versions/{{version}}"
    schema = "/schemas/ids/{id}"
    routes = [
        read("/", lambda _call: {}),
        read("/schemas/types", lambda _call: sorted(SchemaType)),
        read(f"{schema}/schema", endpoints.schema_text_by_id),
        read(f"{schema}/subjects", endpoints.subjects_of_id),
        read(f"{schema}/versions", endpoints.versions_of_id),
        read(schema, endpoints.schema_by_id),
        read("/subjects", endpoints.subjects),
        read(f"{version}/schema", endpoints.schema_text),
        read(f"{version}/referencedby", endpoints.referenced_by),
        read(version, endpoints.version),
        write(version, endpoints.delete_version, "DELETE"),
        read(f"{subject}/versions", endpoints.versions),
        post(f"{subject}/versions", endpoints.register, needs_key=True),
        post(subject, endpoints.look_up),
        write(subject, endpoints.delete_subject, "DELETE"),
        post(f"/compatibility{version}", endpoints.check),
        post(f"/compatibility{subject}/versions", endpoints.check),
        *[
            route
            for path in ("/config", "/config/{subject:path}")
            for route in (
                read(path, endpoints.level),
                write(path, endpoints.set_level, "PUT"),
                write(path, endpoints.delete_level, "DELETE"),
            )
        ],
        *[
            route
            for path in ("/mode", "/mode/{subject:path}")
            for route in (
                read(path, lambda _call: _MODE),
                write(path, _fixed_mode, "PUT"),
                write(path, _fixed_mode, "DELETE"),
            )
        ],
        read("/contexts", lambda _call: ["."]),
    ]
    application = Starlette(routes=routes, exception_handlers={HTTPException: http_error})
    # A redirect is no answer that a client of this protocol expects.
    application.router.redirect_slashes = False
    return application


class _Endpoints:
    """What each endpoint answers; all of them block on the store."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry

    def subjects(self, call: Call) -> list[str]:
        names = self._registry.subjects(
            include_deleted=call.flag("deleted"),
            only_deleted=call.flag("deletedOnly", "deleted_only"),
        )
        prefix = call.query.get("subjectPrefix", "")
        return call.page([name for name in names if name.startswith(prefix)])

    def versions(self, call: Call) -> list[int]:
        return call.page(
            self._registry.versions(
                call.path["subject"],
                include_deleted=call.flag("deleted"),
                only_deleted=call.flag("deletedOnly", "deleted_only"),
            )
        )

    def version(self, call: Call) -> dict[str, Any]:
        found = self._registry.version(
            call.path["subject"], _version(call), include_deleted=call.flag("deleted")
        )
        return self._described(found, call)

    def schema_text(self, call: Call) -> Any:
        found = self._registry.version(
            call.path["subject"], _version(call), include_deleted=call.flag("deleted")
        )
        return self._text(found.schema_id, call)

    def referenced_by(self, call: Call) -> list[int]:
        return call.page(self._registry.referenced_by(call.path["subject"], _version(call)))

    def register(self, call: Call) -> dict[str, int]:
        schema = self._schema(call.body)
        return {"id": self._registry.register(call.path["subject"], schema)}

    def look_up(self, call: Call) -> dict[str, Any]:
        found = self._registry.lookup(
            call.path["subject"],
            self._schema(call.body),
            include_deleted=call.flag("deleted"),
        )
        return self._described(found, call)

    def delete_version(self, call: Call) -> int:
        return self._registry.delete_version(
            call.path["subject"], _version(call), is_permanent=call.flag("permanent")
        )

    def delete_subject(self, call: Call) -> list[int]:
        return self._registry.delete_subject(
            call.path["subject"], is_permanent=call.flag("permanent")
        )

    def schema_by_id(self, call: Call) -> dict[str, Any]:
        schema_id = _schema_id(call)
        described = _described_schema(self._registry.schema(schema_id))
        return described | {"schema": self._text(schema_id, call)}

    def schema_text_by_id(self, call: Call) -> Any:
        return self._text(_schema_id(call), call)

    def subjects_of_id(self, call: Call) -> list[str]:
        versions = self._versions_of_id(call)
        return call.page(list(dict.fromkeys(version.subject for version in versions)))

    def versions_of_id(self, call: Call) -> list[dict[str, Any]]:
        return call.page(
            [
                {"subject": version.subject, "version": version.version}
                for version in self._versions_of_id(call)
            ]
        )

    def check(self, call: Call) -> dict[str, Any]:
        version = _version(call) if "version" in call.path else None
        messages = self._registry.check(call.path["subject"], version, self._schema(call.body))
        return {"is_compatible": not messages, "messages": messages}

    def level(self, call: Call) -> dict[str, str]:
        subject = call.path.get("subject")
        if subject is None or call.flag("defaultToGlobal"):
            return {"compatibilityLevel": str(self._registry.level(subject))}
        own = self._registry.own_level(subject)
        if own is None:
            raise RefusedError(404, 40408, f"Subject {subject!r} has no level of its own.")
        return {"compatibilityLevel": str(own)}

    def set_level(self, call: Call) -> dict[str, str]:
        others = [name for name, value in call.body.items() if value and name not in _LEVEL_NAMES]
        if others:
            raise RefusedError(422, 42203, f"{others[0][:50]!r} is not kept by this registry.")
        sent = call.body.get("compatibility") or call.body.get("compatibilityLevel")
        wanted = sent.upper() if isinstance(sent, str) else None
        level = next((known for known in Level if known == wanted), None)
        if level is None:
            raise RefusedError(
                422, 42203, f"compatibility is {str(sent)[:50]!r}; it takes {', '.join(Level)}."
            )
        self._registry.set_level(call.path.get("subject"), level)
        return {"compatibility": str(level)}

    def delete_level(self, call: Call) -> dict[str, str]:
        subject = call.path.get("subject")
        if subject is not None and self._registry.own_level(subject) is None:
            raise RefusedError(404, 40401, f"Subject {subject!r} has no level of its own.")
        before = self._registry.set_level(subject, None)
        return {"compatibilityLevel": str(before), "compatibility": str(before)}

    def _versions_of_id(self, call: Call) -> list[RegisteredVersion]:
        versions = self._registry.versions_of(
            _schema_id(call), include_deleted=call.flag("deleted")
        )
        subject = call.query.get("subject")
        return [version for version in versions if subject in (None, "", version.subject)]

    def _described(self, found: RegisteredVersion, call: Call) -> dict[str, Any]:
        return {
            "subject": found.subject,
            "version": found.version,
            "id": found.schema_id,
            **_described_schema(self._registry.schema(found.schema_id)),
            "schema": self._text(found.schema_id, call),
        }

    def _text(self, schema_id: int, call: Call) -> str:
        """Return a schema's text; that of a Protobuf schema serialised, if so asked."""
        schema = self._registry.schema(schema_id)
        if call.query.get("format") == "serialized":
            return self._registry.descriptor(schema_id) or schema.text
        return schema.text

    def _schema(self, body: Mapping[str, Any]) -> Schema:
        """Return the schema that a body describes.

        Raises:
            InvalidSchemaError: it describes none that this registry can keep.
        """
        text = body.get("schema")
        if not isinstance(text, str):
            raise InvalidSchemaError("schema is missing; it takes the schema as one string.")
        sent_type = body.get("schemaType") or "AVRO"
        schema_type = next((known for known in SchemaType if known == sent_type), None)
        if schema_type is None:
            raise InvalidSchemaError(
                f"schemaType is {str(sent_type)[:50]!r}; this registry keeps "
                f"{' and '.join(SchemaType)}."
            )
        for name in ("metadata", "ruleSet"):
            if body.get(name):
                raise InvalidSchemaError(f"{name} is not kept by this registry; leave it out.")
        references = body.get("references") or []
        if not isinstance(references, list):
            raise InvalidSchemaError("references is not a list.")
        if len(references) > MAX_REFERENCES:
            raise InvalidSchemaError(
                f"references has {len(references):,} entries; it takes up to {MAX_REFERENCES}."
            )
        return Schema(text, schema_type, tuple(self._reference(sent) for sent in references))

    def _reference(self, sent: Any) -> SchemaReference:
        if not isinstance(sent, dict):
            raise InvalidSchemaError("A reference is an object of name, subject and version.")
        name, subject, version = (sent.get(key) for key in ("name", "subject", "version"))
        if not isinstance(name, str) or not name or not isinstance(subject, str):
            raise InvalidSchemaError("A reference needs a name and a subject, both texts.")
        if not isinstance(version, int) or isinstance(version, bool):
            raise InvalidSchemaError(f"version of reference {name[:100]!r} is not a number.")
        if version == -1:
            try:
                version = self._registry.version(subject, LATEST).version
            except SchemaNotFoundError as error:
                raise InvalidSchemaError(f"The reference {name!r} is missing: {error}") from error
        return SchemaReference(name, subject, version)


def _described_schema(schema: Schema) -> dict[str, Any]:
    described: dict[str, Any] = {"schemaType": str(schema.schema_type), "schema": schema.text}
    if schema.references:
        described["references"] = [
            {"name": reference.name, "subject": reference.subject, "version": reference.version}
            for reference in schema.references
        ]
    return described


def _version(call: Call) -> Version:
    text = call.path["version"]
    if text in (LATEST, "-1"):
        return LATEST
    number = whole_number(text)
    if number is not None and number > 0:
        return number
    raise RefusedError(
        422, 42202, f"version is {text[:50]!r}; it takes a number from 1, or {LATEST!r}."
    )


def _schema_id(call: Call) -> int:
    text = call.path["id"]
    number = whole_number(text)
    if number is not None:
        return number
    raise RefusedError(404, 40403, f"There is no schema with id {text[:50]!r}.")


def _fixed_mode(_call: Call) -> Any:
    raise RefusedError(422, 42205, "The mode of this registry is READWRITE and cannot be changed.")
