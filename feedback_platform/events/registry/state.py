"""What a registry knows: the outcome of every change that was ever made to it, in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from feedback_platform.events.registry.schema import StoredSchema
from feedback_platform.events.schemas.compatibility.levels import Level
from feedback_platform.events.schemas.schema import (
    Schema,
    SchemaReference,
    SchemaType,
    SubjectNotFoundError,
    VersionNotFoundError,
)

DEFAULT_LEVEL: Final = Level.BACKWARD

LATEST: Final = "latest"
Version = int | Literal["latest"]
Change = dict[str, Any]


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a subject."""

    subject: str
    version: int
    schema_id: int
    is_deleted: bool = False


@dataclass
class RegistryState:
    """What changes add up to. Each change is applied once, in the order of the log."""

    schemas: dict[int, StoredSchema] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    subjects: dict[str, dict[int, RegisteredVersion]] = field(default_factory=dict)
    levels: dict[str | None, Level] = field(default_factory=dict)
    last_id: int = 0

    def apply(self, change: Change) -> None:
        """Take over one change; see the functions below for what they consist of."""
        match change["change"]:
            case "schema":
                self._add_schema(change)
            case "version":
                version = RegisteredVersion(change["subject"], change["version"], change["id"])
                self.subjects.setdefault(version.subject, {})[version.version] = version
            case "delete":
                self._delete(change)
            case "level":
                self._set_level(change)

    def numbers(
        self, subject: str, *, include_deleted: bool = False, only_deleted: bool = False
    ) -> list[int]:
        """Return the numbers of a subject's versions, ascending.

        Raises:
            SubjectNotFoundError: there are none.
        """
        found = [
            number
            for number, version in sorted(self.subjects.get(subject, {}).items())
            if is_wanted(
                is_deleted=version.is_deleted,
                include_deleted=include_deleted,
                only_deleted=only_deleted,
            )
        ]
        if not found:
            raise SubjectNotFoundError(f"There is no subject {subject!r}.")
        return found

    def version(
        self, subject: str, version: Version, *, include_deleted: bool = False
    ) -> RegisteredVersion:
        """Return one version of a subject.

        Raises:
            SubjectNotFoundError: there is no such subject.
            VersionNotFoundError: it has no such version.
        """
        numbers = self.numbers(subject, include_deleted=include_deleted)
        wanted = numbers[-1] if version == LATEST else version
        if wanted not in numbers:
            raise VersionNotFoundError(f"Subject {subject!r} has no version {version}.")
        return self.subjects[subject][wanted]

    def resolve(self, reference: SchemaReference) -> Schema:
        """Return the schema that a reference names, deleted or not, in its quickest form.

        Raises:
            SchemaNotFoundError: there is none.
        """
        found = self.version(reference.subject, reference.version, include_deleted=True)
        return self.schemas[found.schema_id].comparable

    def live_versions(self, subject: str) -> list[RegisteredVersion]:
        """Return the versions of a subject that are not deleted, oldest first."""
        versions = self.subjects.get(subject, {})
        return [versions[n] for n in sorted(versions) if not versions[n].is_deleted]

    def effective_level(self, subject: str | None) -> Level:
        """Return the level of a subject, or the one of all where it has none of its own."""
        return self.levels.get(subject, self.levels.get(None, DEFAULT_LEVEL))

    def references_to(self, subject: str, version: int) -> list[int]:
        """Return the ids of the schemas that import a version, while some subject has them."""
        in_use = {
            registered.schema_id
            for versions in self.subjects.values()
            for registered in versions.values()
            if not registered.is_deleted
        }
        return [
            schema_id
            for schema_id in sorted(in_use)
            if any(
                (reference.subject, reference.version) == (subject, version)
                for reference in self.schemas[schema_id].schema.references
            )
        ]

    def _add_schema(self, change: Change) -> None:
        references = tuple(SchemaReference(**reference) for reference in change["references"])
        schema = Schema(change["schema"], SchemaType(change["type"]), references)
        stored = StoredSchema(schema, change["fingerprint"], change.get("descriptor"))
        self.schemas[change["id"]] = stored
        self.ids[stored.fingerprint] = change["id"]
        self.last_id = max(self.last_id, change["id"])

    def _delete(self, change: Change) -> None:
        subject, version = change["subject"], change["version"]
        versions = self.subjects.get(subject, {})
        if version not in versions:
            return
        if not change["is_permanent"]:
            versions[version] = replace(versions[version], is_deleted=True)
            return
        schema_id = versions.pop(version).schema_id
        if not versions:
            del self.subjects[subject]
            self.levels.pop(subject, None)
        remaining = (v.schema_id for known in self.subjects.values() for v in known.values())
        if schema_id not in remaining:
            # Its number is never given again: messages that it wrote may still be about.
            self.ids.pop(self.schemas.pop(schema_id).fingerprint, None)

    def _set_level(self, change: Change) -> None:
        if change["level"] is None:
            self.levels.pop(change["subject"], None)
        else:
            self.levels[change["subject"]] = Level(change["level"])


def is_wanted(*, is_deleted: bool, include_deleted: bool, only_deleted: bool) -> bool:
    """Return whether something belongs to a list that was asked for like this."""
    return is_deleted if only_deleted else include_deleted or not is_deleted


def schema_added(schema_id: int, stored: StoredSchema) -> Change:
    """Return the change that gives a schema its id."""
    references = [
        {"name": reference.name, "subject": reference.subject, "version": reference.version}
        for reference in stored.schema.references
    ]
    change = {
        "change": "schema",
        "id": schema_id,
        "type": str(stored.schema.schema_type),
        "schema": stored.schema.text,
        "references": references,
        "fingerprint": stored.fingerprint,
    }
    return change if stored.descriptor is None else {**change, "descriptor": stored.descriptor}


def version_added(subject: str, version: int, schema_id: int) -> Change:
    """Return the change that makes a schema a version of a subject."""
    return {"change": "version", "subject": subject, "version": version, "id": schema_id}


def version_deleted(subject: str, version: int, *, is_permanent: bool) -> Change:
    """Return the change that deletes a version."""
    return {
        "change": "delete",
        "subject": subject,
        "version": version,
        "is_permanent": is_permanent,
    }


def level_set(subject: str | None, level: Level | None) -> Change:
    """Return the change of a subject's level, or of the one for all; None takes it back."""
    return {"change": "level", "subject": subject, "level": None if level is None else str(level)}
