"""The contract's schemas as they were released: files that never change, and new ones beside them.

A released schema is a promise: senders were built on it, and events that it describes lie in lakes.
So the contract may change only under a new version, and a new version must take what the older ones
took. `feedback-platform contract check` and a test see to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedback_platform.events.contract import EVENT_TYPES, EVENT_VERSION
from feedback_platform.events.schemas.compatibility.levels import incompatibilities
from feedback_platform.events.schemas.json_schema.contract import (
    event_schema,
    schema_text,
    type_schema,
)
from feedback_platform.events.schemas.protobuf.contract import SUBJECT, contract_file
from feedback_platform.events.schemas.protobuf.source import parse_protobuf
from feedback_platform.events.schemas.protobuf.text import proto_text
from feedback_platform.events.schemas.schema import Schema, SchemaType, no_references

RELEASED: Final = Path(__file__).parent / "released"
# What the documents over all types are called.
EVENT: Final = "event"

_FILENAME: Final = re.compile(r"(?P<name>[a-z_]+)\.v(?P<version>[1-9]\d*)\.(?P<suffix>json|proto)")
_TYPES: Final = {"json": SchemaType.JSON, "proto": SchemaType.PROTOBUF}
_SUFFIXES: Final = {kind: suffix for suffix, kind in _TYPES.items()}
_WHERE: Final = "feedback_platform/events/contract.py"


@dataclass(frozen=True)
class ReleasedDocument:
    """One schema of the contract.

    Attributes:
        name: of the event type, or `event` for all types.
        version: counts from 1.
        schema: its text stands alone.
    """

    name: str
    version: int
    schema: Schema

    @property
    def filename(self) -> str:
        """The name of its file."""
        return f"{self.name}.v{self.version}.{_SUFFIXES[self.schema.schema_type]}"

    @property
    def subject(self) -> str:
        """Under which a registry keeps it."""
        return SUBJECT if self.schema.schema_type is SchemaType.PROTOBUF else self.name


def current_documents() -> list[ReleasedDocument]:
    """Return the schemas that follow from the contract as it is now."""
    documents = [
        ReleasedDocument(
            kind.name, kind.version, Schema(schema_text(type_schema(kind)), SchemaType.JSON)
        )
        for kind in EVENT_TYPES.values()
    ]
    over_all = Schema(schema_text(event_schema()), SchemaType.JSON)
    source = Schema(proto_text(contract_file()), SchemaType.PROTOBUF)
    return [
        *documents,
        ReleasedDocument(EVENT, EVENT_VERSION, over_all),
        ReleasedDocument(EVENT, EVENT_VERSION, source),
    ]


def released_documents(directory: Path = RELEASED) -> list[ReleasedDocument]:
    """Return what was released, by name and type, older versions first."""
    documents = []
    for path in directory.iterdir():
        if found := _FILENAME.fullmatch(path.name):
            schema = Schema(path.read_text(encoding="utf-8"), _TYPES[found["suffix"]])
            documents.append(ReleasedDocument(found["name"], int(found["version"]), schema))
    return sorted(documents, key=lambda d: (d.schema.schema_type, d.name, d.version))


def contract_problems(
    current: list[ReleasedDocument] | None = None, directory: Path = RELEASED
) -> list[str]:
    """Return what is wrong between the contract and its releases, and what to do about it."""
    current = current_documents() if current is None else current
    released = {document.filename: document for document in released_documents(directory)}
    problems: list[str] = []
    for document in current:
        before = released.get(document.filename)
        if before is None:
            problems.append(
                f"{document.filename} is not released. "
                "Run `feedback-platform contract release` and commit the file."
            )
        elif before.schema.text != document.schema.text:
            problems.append(_changed(document))
    known = {(document.name, document.schema.schema_type): document for document in current}
    for key, versions in _by_subject(released.values()).items():
        if key not in known:
            problems.append(
                f"{versions[-1].filename} was released, but the contract has no {key[0]!r} any "
                f"more. Senders still send it: put it back into {_WHERE}."
            )
        elif versions[-1].version > known[key].version:
            problems.append(
                f"{versions[-1].filename} was released, but the contract is at version "
                f"{known[key].version}: a version is never taken back. Raise it in {_WHERE}."
            )
    everything = {**{document.filename: document for document in current}, **released}
    for versions in _by_subject(everything.values()).values():
        for index, newer in enumerate(versions):
            for older in versions[:index]:
                problems += _incompatible(newer, older)
    return problems


def release(directory: Path = RELEASED) -> list[str]:
    """Write the files of versions that are not released yet, and return their names.

    A file that is there is never written again, whatever it holds.
    """
    directory.mkdir(exist_ok=True)
    written = []
    for document in current_documents():
        path = directory / document.filename
        if not path.exists():
            path.write_text(document.schema.text, encoding="utf-8", newline="\n")
            written.append(document.filename)
    return written


def _by_subject(
    documents: Iterable[ReleasedDocument],
) -> dict[tuple[str, SchemaType], list[ReleasedDocument]]:
    grouped: dict[tuple[str, SchemaType], list[ReleasedDocument]] = {}
    for document in sorted(documents, key=lambda d: d.version):
        grouped.setdefault((document.name, document.schema.schema_type), []).append(document)
    return grouped


def _changed(document: ReleasedDocument) -> str:
    constant = "EVENT_VERSION" if document.name == EVENT else f"the version of {document.name!r}"
    return (
        f"The contract says something else than {document.filename}, which was released. Raise "
        f"{constant} in {_WHERE} to {document.version + 1}, then run "
        "`feedback-platform contract release` and commit the new file; or take the change back."
    )


def _incompatible(newer: ReleasedDocument, older: ReleasedDocument) -> list[str]:
    reasons = incompatibilities(newer.schema, older.schema, no_references)
    if newer.schema.schema_type is SchemaType.PROTOBUF:
        reasons += _renumbered(newer.schema, older.schema)
    return [
        f"{newer.filename} does not take what {older.filename} took: {reason}" for reason in reasons
    ]


def _renumbered(newer: Schema, older: Schema) -> list[str]:
    """Return which numbers changed their name: harmless on the wire, but readers go by names."""
    names = [
        {
            (message.name, field.number): field.name
            for message in parse_protobuf(schema, no_references).file.message_type
            for field in message.field
        }
        for schema in (newer, older)
    ]
    return [
        f"field {number} of {message} is called {names[0].get((message, number), 'nothing')!r} "
        f"and was {name!r}"
        for (message, number), name in names[1].items()
        if names[0].get((message, number)) != name
    ]
