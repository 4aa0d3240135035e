"""What a request changes, decided upon everything that is known: no store, no clock, no lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from feedback_platform.errors import PermanentError
from feedback_platform.events.registry.schema import StoredSchema, stored_schema
from feedback_platform.events.registry.state import (
    LATEST,
    Change,
    RegisteredVersion,
    RegistryState,
    Version,
    schema_added,
    version_added,
    version_deleted,
)
from feedback_platform.events.schemas.compatibility.levels import Level
from feedback_platform.events.schemas.release import released_documents
from feedback_platform.events.schemas.schema import no_references

Obstacle = Literal[
    "subject_deleted", "subject_not_deleted", "version_deleted", "version_not_deleted", "referenced"
]


class RegistryOperationError(PermanentError):
    """Something that cannot be done to a version or subject as it is now.

    Attributes:
        reason: which of the things that stand in the way.
    """

    def __init__(self, reason: Obstacle, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Comparison:
    """What a schema has to be compared with before it may become a version.

    Attributes:
        level: what the subject promises.
        versions: the numbers and ids of the versions that the level looks at, oldest first.
    """

    level: Level
    versions: tuple[tuple[int, int], ...]


def needed_comparison(
    state: RegistryState, subject: str, stored: StoredSchema
) -> Comparison | None:
    """Return what decides whether a schema may be registered; None if nothing does."""
    live = [(version.version, version.schema_id) for version in state.live_versions(subject)]
    known = state.ids.get(stored.fingerprint)
    level = state.effective_level(subject)
    compared = tuple(level.compared(live))
    if not compared or any(schema_id == known for _, schema_id in live):
        return None
    return Comparison(level, compared)


def registration(
    state: RegistryState, subject: str, stored: StoredSchema
) -> tuple[list[Change], int]:
    """Return what makes a schema the newest version of a subject, and its id.

    Whether the subject's level takes it was found out before.
    """
    known = state.ids.get(stored.fingerprint)
    if known is None:
        schema_id = state.last_id + 1
        version = version_added(subject, _next_version(state, subject), schema_id)
        return [schema_added(schema_id, stored), version], schema_id
    if any(version.schema_id == known for version in state.live_versions(subject)):
        return [], known
    return [version_added(subject, _next_version(state, subject), known)], known


def version_deletion(
    state: RegistryState, subject: str, version: Version, *, is_permanent: bool
) -> tuple[list[Change], int]:
    """Return what deletes a version, and its number.

    Raises:
        SubjectNotFoundError, VersionNotFoundError: there is no such version.
        RegistryOperationError: it is deleted already, not deleted yet, or others import it.
    """
    # The latest of those that can be deleted like this, not of those that are gone.
    is_hidden = is_permanent or version != LATEST
    found = state.version(subject, version, include_deleted=is_hidden)
    return [_deletion(state, found, is_permanent=is_permanent)], found.version


def subject_deletion(
    state: RegistryState, subject: str, *, is_permanent: bool
) -> tuple[list[Change], list[int]]:
    """Return what deletes all versions of a subject, and their numbers.

    Raises:
        SubjectNotFoundError: there is no such subject.
        RegistryOperationError: it is deleted already, not deleted yet, or others import it.
    """
    numbers = state.numbers(subject, include_deleted=True)
    live = [version.version for version in state.live_versions(subject)]
    if is_permanent and live:
        raise RegistryOperationError(
            "subject_not_deleted",
            f"Subject {subject!r} was not deleted first, before deleting it for good.",
        )
    if not is_permanent and not live:
        raise RegistryOperationError("subject_deleted", f"Subject {subject!r} is deleted already.")
    chosen = numbers if is_permanent else live
    versions = [state.subjects[subject][number] for number in chosen]
    return [_deletion(state, version, is_permanent=is_permanent) for version in versions], chosen


def contract_changes(state: RegistryState) -> list[Change]:
    """Return what has to change so that every released schema of the contract is a version.

    They are not checked for compatibility: each release was, against all before it.
    """
    changes: list[Change] = []
    last_id = state.last_id
    added: dict[str, int] = {}
    for document in released_documents():
        subject = document.subject
        versions = state.subjects.get(subject, {}).values()
        texts = {state.schemas[version.schema_id].schema.text for version in versions}
        if document.schema.text in texts:
            continue
        stored = stored_schema(document.schema, no_references)
        known = state.ids.get(stored.fingerprint)
        if known is not None and any(version.schema_id == known for version in versions):
            continue
        if known is None:
            last_id += 1
            known = last_id
            changes.append(schema_added(known, stored))
        number = _next_version(state, subject) + added.get(subject, 0)
        added[subject] = added.get(subject, 0) + 1
        changes.append(version_added(subject, number, known))
    return changes


def _deletion(state: RegistryState, version: RegisteredVersion, *, is_permanent: bool) -> Change:
    named = f"Version {version.version} of subject {version.subject!r}"
    if is_permanent and not version.is_deleted:
        raise RegistryOperationError(
            "version_not_deleted", f"{named} was not deleted first, before deleting it for good."
        )
    if not is_permanent and version.is_deleted:
        raise RegistryOperationError("version_deleted", f"{named} is deleted already.")
    importing = state.references_to(version.subject, version.version)
    if importing:
        ids = ", ".join(str(schema_id) for schema_id in importing)
        raise RegistryOperationError("referenced", f"{named} is imported by schemas {ids}.")
    return version_deleted(version.subject, version.version, is_permanent=is_permanent)


def _next_version(state: RegistryState, subject: str) -> int:
    return max(state.subjects.get(subject, {}), default=0) + 1
