"""The schema registry: subjects, their versions, and what each of them promises.

It is a plain object over an object store; `serving/registry.py` puts HTTP in front of it. Many
processes may use one store at the same time. The platform's own contract is in every registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import RLock
from typing import Final, TypeVar

from feedback_platform.errors import PermanentError, TransientError
from feedback_platform.events.registry.changes import (
    Comparison,
    contract_changes,
    needed_comparison,
    registration,
    subject_deletion,
    version_deletion,
)
from feedback_platform.events.registry.log import RegistryLog, Store
from feedback_platform.events.registry.schema import StoredSchema, stored_schema
from feedback_platform.events.registry.state import (
    Change,
    RegisteredVersion,
    RegistryState,
    Version,
    is_wanted,
    level_set,
)
from feedback_platform.events.schemas.compatibility.levels import Level, violations
from feedback_platform.events.schemas.schema import (
    IncompatibleSchemaError,
    Schema,
    SchemaNotFoundError,
    SchemaReference,
)

_LONGEST_SUBJECT: Final = 1000
_ATTEMPTS: Final = 100
_T = TypeVar("_T")


class InvalidSubjectError(PermanentError):
    """A name that no subject may have."""


class RegistryBusyError(TransientError):
    """Others changed the registry each time that this change was about to be made."""


class SchemaRegistry:
    """Schemas by id, and by subject and version.

    Every call sees what was finished before it began, in any process. All of them raise
    LakeUnavailableError where the store fails; then nothing was changed.
    """

    def __init__(self, store: Store) -> None:
        self._log = RegistryLog(store)
        self._state = RegistryState()
        self._lock = RLock()
        self._has_contract = False

    def schema(self, schema_id: int) -> Schema:
        """Return the schema with an id, also when its versions were deleted but not for good.

        Raises:
            SchemaNotFoundError: there is none.
        """
        with self._lock:
            # An id never changes its meaning: who knows it need not look again.
            if schema_id not in self._state.schemas:
                self._refresh()
            stored = self._state.schemas.get(schema_id)
        if stored is None:
            raise SchemaNotFoundError(f"There is no schema with id {schema_id}.")
        return stored.schema

    def descriptor(self, schema_id: int) -> str | None:
        """Return the FileDescriptorProto of a Protobuf schema in base64, None for other schemas.

        Raises:
            SchemaNotFoundError: there is no schema with this id.
        """
        self.schema(schema_id)
        with self._lock:
            return self._state.schemas[schema_id].descriptor

    def resolve(self, reference: SchemaReference) -> Schema:
        """Return the schema that a reference names.

        Raises:
            SchemaNotFoundError: there is none.
        """
        with self._lock:
            self._refresh()
            return self._state.resolve(reference)

    def register(self, subject: str, schema: Schema) -> int:
        """Make a schema the newest version of a subject and return its id.

        A schema that the subject has already keeps its version; the same schema has the same id in
        every subject.

        Raises:
            InvalidSubjectError: the name is empty, too long or has control characters.
            InvalidSchemaError: the text is no schema, or a reference leads nowhere.
            IncompatibleSchemaError: the subject's level refuses it; it has every reason.
        """
        _check_subject(subject)
        stored = self._stored(schema)
        compared: Comparison | None = None
        for _ in range(_ATTEMPTS):
            with self._lock:
                self._refresh()
                needed = needed_comparison(self._state, subject, stored)
                if needed is None or needed == compared:
                    changes, schema_id = registration(self._state, subject, stored)
                    if not changes or self._log.append(changes):
                        return schema_id
                    continue
                level, before = needed.level, self._schemas_of(needed.versions)
            # Not under the lock: it may take a second, and the others need not wait for it.
            if messages := violations(level, stored.comparable, before, self._known):
                raise IncompatibleSchemaError(subject, messages)
            compared = needed
        raise _busy()

    def lookup(
        self, subject: str, schema: Schema, *, include_deleted: bool = False
    ) -> RegisteredVersion:
        """Return the version of a subject that has this schema.

        Raises:
            SubjectNotFoundError: there is no such subject.
            InvalidSchemaError: the text is no schema.
            SchemaNotFoundError: none of its versions has it.
        """
        numbers = self.versions(subject, include_deleted=include_deleted)
        fingerprint = self._stored(schema).fingerprint
        with self._lock:
            known = self._state.ids.get(fingerprint)
            for number in reversed(numbers):
                version = self._state.subjects.get(subject, {}).get(number)
                if version is not None and version.schema_id == known:
                    return version
        raise SchemaNotFoundError(f"Subject {subject!r} has no version with this schema.")

    def subjects(self, *, include_deleted: bool = False, only_deleted: bool = False) -> list[str]:
        """Return the names of the subjects, sorted."""
        with self._lock:
            self._refresh()
            return sorted(
                subject
                for subject, versions in self._state.subjects.items()
                if is_wanted(
                    is_deleted=all(version.is_deleted for version in versions.values()),
                    include_deleted=include_deleted,
                    only_deleted=only_deleted,
                )
            )

    def versions(
        self, subject: str, *, include_deleted: bool = False, only_deleted: bool = False
    ) -> list[int]:
        """Return the numbers of a subject's versions, ascending.

        Raises:
            SubjectNotFoundError: there are none.
        """
        with self._lock:
            self._refresh()
            return self._state.numbers(
                subject, include_deleted=include_deleted, only_deleted=only_deleted
            )

    def version(
        self, subject: str, version: Version, *, include_deleted: bool = False
    ) -> RegisteredVersion:
        """Return one version of a subject.

        Raises:
            SubjectNotFoundError: there is no such subject.
            VersionNotFoundError: it has no such version.
        """
        with self._lock:
            self._refresh()
            return self._state.version(subject, version, include_deleted=include_deleted)

    def versions_of(
        self, schema_id: int, *, include_deleted: bool = False
    ) -> list[RegisteredVersion]:
        """Return where a schema is a version, by subject.

        Raises:
            SchemaNotFoundError: there is no schema with this id.
        """
        with self._lock:
            self._refresh()
            self.schema(schema_id)
            return [
                version
                for _, versions in sorted(self._state.subjects.items())
                for _, version in sorted(versions.items())
                if version.schema_id == schema_id and (include_deleted or not version.is_deleted)
            ]

    def referenced_by(self, subject: str, version: Version) -> list[int]:
        """Return the ids of the schemas that import a version.

        Raises:
            SubjectNotFoundError, VersionNotFoundError: there is no such version.
        """
        with self._lock:
            found = self.version(subject, version, include_deleted=True)
            return self._state.references_to(found.subject, found.version)

    def check(self, subject: str, version: Version | None, schema: Schema) -> list[str]:
        """Return why a schema could not be registered; nothing if it could.

        Args:
            subject: against whose level.
            version: only this one counts; None: those that the level says.
            schema: the candidate.

        Raises:
            InvalidSchemaError: the text is no schema.
            SubjectNotFoundError, VersionNotFoundError: a version was named that is not there.
        """
        candidate = self._stored(schema).comparable
        with self._lock:
            self._refresh()
            state = self._state
            if version is None:
                chosen = state.live_versions(subject)
            else:
                chosen = [state.version(subject, version)]
            before = self._schemas_of((v.version, v.schema_id) for v in chosen)
            level = state.effective_level(subject)
        # Not under the lock: it takes a while, and no schema that was read can change.
        return violations(level, candidate, before, self._known)

    def level(self, subject: str | None = None) -> Level:
        """Return the level that holds for a subject; that of all subjects for None."""
        with self._lock:
            self._refresh()
            return self._state.effective_level(subject)

    def own_level(self, subject: str) -> Level | None:
        """Return the level that was set for a subject itself, or None."""
        with self._lock:
            self._refresh()
            return self._state.levels.get(subject)

    def set_level(self, subject: str | None, level: Level | None) -> Level:
        """Set the level of a subject, or of all for None, and return the one that held before.

        Args:
            subject: need not have versions yet.
            level: None takes it back: to that of all subjects, to BACKWARD for all.

        Raises:
            InvalidSubjectError: no subject may be called this.
        """
        if subject is not None:
            _check_subject(subject)

        def decide(state: RegistryState) -> tuple[list[Change], Level]:
            before = state.effective_level(subject)
            is_new = state.levels.get(subject) != level
            return ([level_set(subject, level)] if is_new else []), before

        return self._change(decide)

    def delete_version(self, subject: str, version: Version, *, is_permanent: bool = False) -> int:
        """Delete a version and return its number.

        Deleted, it does not count any more but can still be read by its id. For good, it can be
        deleted only then.

        Raises:
            SubjectNotFoundError, VersionNotFoundError: there is no such version.
            RegistryOperationError: it is deleted already, not deleted yet, or others import it.
        """
        return self._change(
            lambda state: version_deletion(state, subject, version, is_permanent=is_permanent)
        )

    def delete_subject(self, subject: str, *, is_permanent: bool = False) -> list[int]:
        """Delete all versions of a subject and return their numbers; see `delete_version`.

        Raises:
            SubjectNotFoundError: there is no such subject.
            RegistryOperationError: it is deleted already, not deleted yet, or others import it.
        """
        return self._change(
            lambda state: subject_deletion(state, subject, is_permanent=is_permanent)
        )

    def _change(self, decide: Callable[[RegistryState], tuple[list[Change], _T]]) -> _T:
        """Decide upon the newest state, and again as long as somebody else was quicker."""
        with self._lock:
            self._refresh()
            for _ in range(_ATTEMPTS):
                changes, outcome = decide(self._state)
                is_done = not changes or self._log.append(changes)
                self._refresh()
                if is_done:
                    return outcome
        raise _busy()

    def _stored(self, schema: Schema) -> StoredSchema:
        """Check a schema, with what it imports from what is registered now."""
        if schema.references:
            with self._lock:
                self._refresh()
        return stored_schema(schema, self._known)

    def _known(self, reference: SchemaReference) -> Schema:
        """Return the schema that a reference names, without looking whether there is a newer."""
        with self._lock:
            return self._state.resolve(reference)

    def _schemas_of(self, versions: Iterable[tuple[int, int]]) -> list[tuple[int, Schema]]:
        return [
            (number, self._state.schemas[schema_id].comparable) for number, schema_id in versions
        ]

    def _refresh(self) -> None:
        """Take over what anybody changed since; at first, see to the contract's schemas."""
        for change in self._log.new_changes():
            self._state.apply(change)
        while not self._has_contract:
            missing = contract_changes(self._state)
            self._has_contract = not missing or self._log.append(missing)
            for change in self._log.new_changes():
                self._state.apply(change)


def _busy() -> RegistryBusyError:
    return RegistryBusyError(
        f"Others changed the schema registry {_ATTEMPTS} times in a row; try again."
    )


def _check_subject(subject: str) -> None:
    if not subject or len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
        raise InvalidSubjectError(
            f"A subject has 1 to {_LONGEST_SUBJECT} printable characters; this is {subject[:50]!r}."
        )
