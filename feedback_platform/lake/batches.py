"""The ledger of cleaning: which raw objects each batch cleaned, and what came of them.

A batch is committed by creating its manifest; files without one do not count. The newest manifest
carries all that the next listing needs, so finding new objects costs what is new.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Self

from feedback_platform.errors import LakeObjectExistsError, TransientError
from feedback_platform.lake import keys
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.seen import SeenObjects
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import load_tombstones

# Writers keep their own clocks and uploads take time: an object may land behind a newer one. A
# listing goes back this far; what lands later still is found by the complete listing of a sweep.
OVERLAP = timedelta(hours=2)
_HINT = "clean/latest.json"
_NEVER = datetime(1970, 1, 2, tzinfo=UTC)


class BatchConflictError(TransientError):
    """Another process cleaned an object meanwhile; the next attempt begins with what it made."""

    def __init__(self, key: str, sequence: int) -> None:
        super().__init__(
            f"Another process cleaned {key} meanwhile, in batch {sequence}, and what it made of it "
            "counts. Start again to go on from there."
        )
        self.key = key
        self.sequence = sequence


class ErasedMeanwhileError(TransientError):
    """Somebody was erased while data with them was worked on; the next attempt is without them."""

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"Users were erased meanwhile, in batch {sequence}, and what was made here may hold "
            "them. Nothing of it counts. Start again."
        )
        self.sequence = sequence


@dataclass(frozen=True)
class BatchManifest:
    """What one batch did.

    Attributes:
        sequence: number of the batch, from 1, without gaps.
        raw_objects: the keys it cleaned.
        clean_objects, quarantine_objects: the keys it wrote.
        rows: events and refused lines in the raw objects; equals clean + quarantined + duplicates
            + erased.
        duplicates: rows dropped because the raw object itself holds the same event twice.
        reference_version: the fitted statistics that were applied.
        is_reprocessing: whether it replaces what earlier batches made of the same raw objects.
        newest_hour: the newest raw hour that any batch so far has cleaned (ISO 8601, UTC).
        recent_objects: those already cleaned that a listing from the overlap would meet again.
        object_rows: how many of the rows each raw object has, in their order.
        erased: rows of users who were erased; nothing is left of them.
        object_erased: how many of those each raw object had; none in batches of earlier releases.
        is_erasure: whether it marks the instant from which nobody may commit rows of users who
            were erased; such a batch has no objects.
    """

    sequence: int
    raw_objects: list[str]
    clean_objects: list[str]
    quarantine_objects: list[str]
    rows: int
    clean: int
    quarantined: int
    duplicates: int
    reference_version: str
    is_reprocessing: bool
    newest_hour: str
    recent_objects: SeenObjects = field(repr=False)
    object_rows: list[int]
    erased: int = 0
    object_erased: list[int] = field(default_factory=list)
    is_erasure: bool = False

    @property
    def erased_by_object(self) -> dict[str, int]:
        """How many rows of each raw object were of erased users."""
        counts = self.object_erased or [0] * len(self.raw_objects)
        return dict(zip(self.raw_objects, counts, strict=True))


def latest_manifest(lake: Lake) -> BatchManifest | None:
    """Return the newest committed batch, or None before the first."""
    hint = lake.find(_HINT)
    after = keys.batch_manifest(int(json.loads(hint)["sequence"])) if hint else None
    newer = lake.list_keys(keys.CLEAN_BATCHES, after=after)
    newest = newer[-1] if newer else after
    return read_manifest(lake, keys.batch_sequence(newest)) if newest else None


def read_manifest(lake: Lake, sequence: int) -> BatchManifest:
    """Return the manifest of one committed batch."""
    content = json.loads(lake.get(keys.batch_manifest(sequence)))
    recent = SeenObjects.from_json(content.pop("recent_objects"))
    return BatchManifest(**content, recent_objects=recent)


def sequences_after(lake: Lake, sequence: int) -> list[int]:
    """Return the numbers of all batches after one, in order."""
    listed = lake.list_keys(keys.CLEAN_BATCHES, after=keys.batch_manifest(sequence))
    return [keys.batch_sequence(key) for key in listed]


def manifests_after(lake: Lake, sequence: int) -> list[BatchManifest]:
    """Return the manifests of all batches after a sequence number, in order."""
    return [read_manifest(lake, number) for number in sequences_after(lake, sequence)]


def pending_objects(lake: Lake, *, is_sweep: bool = False) -> list[str]:
    """Return the raw objects that no batch has cleaned, in the order of the hours they came in.

    Whoever cleans only the first ones of a backlog moves the newest hour no further than to the
    first that is left, wherever in the lake it lies: the next listing meets it again.

    Args:
        is_sweep: list everything ever received instead of the newest hours; this also finds an
            object that landed later than the overlap. An announced backfill has the same effect.
    """
    if is_sweep or lake.list_keys(keys.BACKFILLS):
        cleaned = {key for manifest in manifests_after(lake, 0) for key in manifest.raw_objects}
        return _by_hour(key for key in list_raw_objects(lake) if key not in cleaned)
    latest = latest_manifest(lake)
    if latest is None:
        return _by_hour(list_raw_objects(lake))
    since = datetime.fromisoformat(latest.newest_hour) - OVERLAP
    return _by_hour(list_raw_objects(lake, since=since, seen=latest.recent_objects))


class Ledger:
    """The ledger as one cleaner knows it, from before it chose its raw objects.

    Cleaning takes a while, and others commit meanwhile. A batch gets the number after the newest
    one that its cleaner knows, so it counts only if nothing came in between; what did is looked at
    before the next attempt. So nobody replaces what it has not seen, whenever it was committed.
    """

    def __init__(self, lake: Lake, newest: BatchManifest | None) -> None:
        """Begin behind the newest batch that the choice of objects is based on; None for none."""
        self._lake = lake
        self._newest = newest
        self._cleaned_in: dict[str, int] = {}
        # Read behind the newest batch: of every erasure up to it the tombstones are among them.
        self.tombstones = load_tombstones(lake)

    @classmethod
    def opened(cls, lake: Lake) -> Self:
        """Return the ledger as it is now; objects that are listed afterwards may be committed."""
        return cls(lake, latest_manifest(lake))

    def next_batch(self, raw_objects: list[str]) -> tuple[int, datetime, SeenObjects]:
        """Return the sequence, newest hour and recent objects of the next batch.

        Raises:
            BatchConflictError: another process cleaned one of the objects since.
            ErasedMeanwhileError: users were erased since, of whom this cleaner may know nothing.
        """
        known = self._newest.sequence if self._newest is not None else 0
        for manifest in manifests_after(self._lake, known):
            if manifest.is_erasure:
                raise ErasedMeanwhileError(manifest.sequence)
            self._learn(manifest)
        for key in raw_objects:
            if key in self._cleaned_in:
                raise BatchConflictError(key, self._cleaned_in[key])
        return _following(self._newest, raw_objects)

    def commit(self, manifest: BatchManifest) -> bool:
        """Make a batch count, and return whether it does: its number may be taken by now."""
        key = keys.batch_manifest(manifest.sequence)
        try:
            self._lake.put(key, _written(manifest), mode="create")
        except LakeObjectExistsError:
            return False
        self._learn(manifest)
        hint = json.dumps({"sequence": manifest.sequence}).encode()
        self._lake.put(_HINT, hint, mode="overwrite")
        return True

    def _learn(self, manifest: BatchManifest) -> None:
        self._newest = manifest
        self._cleaned_in |= dict.fromkeys(manifest.raw_objects, manifest.sequence)


def mark_erasure(lake: Lake) -> int:
    """Commit a batch without objects, and return its number.

    The tombstones are in the lake already. Whatever is committed behind it was made by somebody who
    knew them; what was committed before it can be listed now. So nobody is cleaned back in.
    """
    while True:
        ledger = Ledger.opened(lake)
        with suppress(ErasedMeanwhileError):
            sequence, newest_hour, recent = ledger.next_batch([])
            manifest = BatchManifest(
                sequence=sequence,
                raw_objects=[],
                clean_objects=[],
                quarantine_objects=[],
                rows=0,
                clean=0,
                quarantined=0,
                duplicates=0,
                reference_version="",
                is_reprocessing=False,
                newest_hour=newest_hour.isoformat(),
                recent_objects=recent,
                object_rows=[],
                is_erasure=True,
            )
            if ledger.commit(manifest):
                return sequence


def check_nobody_erased_since(lake: Lake, through: int | None) -> None:
    """Check that data up to a batch hold nobody who was erased since.

    Args:
        lake: whose ledger is asked.
        through: the newest batch in the data; None where that is not known, and nobody can tell.

    Raises:
        ErasedMeanwhileError: they may.
    """
    if through is None:
        return
    for manifest in manifests_after(lake, through):
        if manifest.is_erasure:
            raise ErasedMeanwhileError(manifest.sequence)


def replace_manifest(lake: Lake, manifest: BatchManifest) -> None:
    """Correct what a committed batch says, after rows of it were erased."""
    lake.put(keys.batch_manifest(manifest.sequence), _written(manifest), mode="overwrite")


def _by_hour(raw_objects: Iterable[str]) -> list[str]:
    return sorted(raw_objects, key=lambda key: (keys.hour_of(key), key))


def _written(manifest: BatchManifest) -> bytes:
    facts = {fact.name: getattr(manifest, fact.name) for fact in fields(manifest)}
    facts["recent_objects"] = manifest.recent_objects.to_json()
    return json.dumps(facts).encode()


def _following(
    previous: BatchManifest | None, raw_objects: list[str]
) -> tuple[int, datetime, SeenObjects]:
    """Return what `Ledger.next_batch` does of the batch after a previous one.

    The newest hour is never later than now: one writer with a clock that is ahead must not blind
    the listing to what all the others write.
    """
    hours = [keys.hour_of(key) for key in raw_objects]
    known = SeenObjects()
    sequence = 1
    if previous is not None:
        hours.append(datetime.fromisoformat(previous.newest_hour))
        known = previous.recent_objects
        sequence = previous.sequence + 1
    newest = min(
        max(hours, default=_NEVER), datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    )
    recent = known.joined(SeenObjects.of(raw_objects)).since(newest - OVERLAP)
    return sequence, newest, recent
