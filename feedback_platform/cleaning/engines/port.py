"""What an engine does: it reads raw objects, and makes clean and quarantined rows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.reference import Reference
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import NOBODY, Tombstones


class ParsedObject(Protocol):
    """A raw object as an engine cleans it."""

    @property
    def key(self) -> str:
        """Where it lies in the lake."""

    @property
    def is_unreadable(self) -> bool:
        """Whether it is no raw object at all; then it counts as one rejected line."""


class HeldObject(Protocol):
    """A raw object as an engine has read it."""

    @property
    def size(self) -> int:
        """How many bytes of memory it takes, for what a batch may hold."""


Held = TypeVar("Held", bound=HeldObject)
Parsed = TypeVar("Parsed", bound=ParsedObject)


@dataclass(frozen=True)
class CleanedObjects:
    """What the rules made of raw objects; rows = clean + quarantined + duplicates + erased.

    What becomes of an object does not depend on those beside it, so that an object that is cleaned
    again replaces exactly its own rows. An event that several objects hold is counted once by
    whoever reads all of them.

    Attributes:
        object_rows: events and refused lines of each object.
        clean: one row per event and object, in the order of `CLEAN_ORDER`.
        quarantined: `QUARANTINE_SCHEMA`, one row per rejected event or line, with its bytes.
        duplicates: rows left out because an earlier one of the same object has the same event_id.
        object_erased: rows of each object that are of users who were erased.
    """

    object_rows: list[int]
    clean: pl.DataFrame
    quarantined: pl.DataFrame
    duplicates: int
    object_erased: list[int]

    @property
    def rows(self) -> int:
        """Events and refused lines of all objects."""
        return sum(self.object_rows)

    @property
    def erased(self) -> int:
        """Rows of erased users, of all objects."""
        return sum(self.object_erased)


class Engine(Protocol[Held, Parsed]):
    """Runs the definition of cleaning; whichever does, the rows are the same to the last bit."""

    def read(self, lake: Lake, key: str, mapping: EventMapping, *, is_listed: bool = False) -> Held:
        """Read one raw object; one that is none becomes a single rejected line.

        See `fetch_object` for what it means that a listing showed it.

        Raises:
            PermanentError: there is no such object, or it may not be read.
            TransientError: the store did not answer.
        """

    def parse(self, objects: list[Held]) -> list[Parsed]:
        """Return the objects of a batch as `clean` takes them; another may be cleaned meanwhile."""

    def clean(
        self,
        objects: list[Parsed],
        rules: CleaningRules,
        reference: Reference,
        tombstones: Tombstones = NOBODY,
    ) -> CleanedObjects:
        """Apply the contract and the rules to what erased users have not left in parsed objects."""
