"""One micro-batch: raw objects in, clean and quarantined rows out, a manifest that makes it count.

A batch that dies on the way leaves files that nobody counts; the next attempt writes others.
Memory is bounded: a long list of objects becomes several batches. So is a run that is to take no
more than a portion of a backlog; the next one takes the next.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final
from uuid import uuid4

import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import CleanedObjects, Engine
from feedback_platform.cleaning.reference import Reference, reference_for
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, Ledger
from feedback_platform.lake.store import Lake
from feedback_platform.reading_ahead import read_ahead

# Uncompressed raw bytes that one batch holds in memory at most (a single object may be larger). On
# the way to clean rows they take several times as much, and the next batch is parsed meanwhile.
BATCH_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Portion:
    """What a run cleans at most of a backlog, but one object at least.

    Attributes:
        objects: raw objects; each is a request to the store, however small it is.
        size: uncompressed raw bytes.
    """

    objects: int
    size: int


# About as many events as a run takes into the warehouse at once, so that readers see a backlog
# shrink a portion at a time, and no other run waits for more than one of them.
PORTION: Final = Portion(objects=5_000, size=4 * BATCH_BYTES)


def clean_pending(
    lake: Lake,
    raw_objects: list[str],
    rules: CleaningRules,
    references: list[Reference],
    *,
    ledger: Ledger,
    mapping: EventMapping = DEFAULT_MAPPING,
    engine: Engine[Any, Any] = POLARS,
    is_reprocessing: bool = False,
    portion: Portion | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[BatchManifest]:
    """Clean raw objects and commit the batches.

    Args:
        lake: where they lie and where the results go.
        raw_objects: keys, in the order in which they are to be cleaned.
        rules: the cleaning rules.
        references: all reference versions, oldest first; each object uses the one in effect when
            it was received.
        ledger: as it was before the objects were chosen.
        mapping: what the names of events in received lines mean.
        engine: what runs the rules.
        is_reprocessing: the objects have been cleaned before; the new rows replace the old ones.
        portion: clean no more than the first objects that make one; all when left out.
        progress: called with objects done and objects in all.

    Returns:
        The committed manifests, in order; none when there is nothing to clean.

    Raises:
        BatchConflictError: another process cleaned one of the objects meanwhile.
        ErasedMeanwhileError: users were erased meanwhile.
    """
    manifests: list[BatchManifest] = []
    done = 0
    batches = _batches(lake, raw_objects, references, mapping, engine, portion)
    for reference, objects in read_ahead(batches):
        cleaned = engine.clean(objects, rules, reference, ledger.tombstones)
        manifest = store_batch(
            lake,
            ledger,
            cleaned,
            [item.key for item in objects],
            reference_version=reference.version,
            is_reprocessing=is_reprocessing,
        )
        manifests.append(manifest)
        done += len(objects)
        if progress is not None:
            progress(done, len(raw_objects))
    return manifests


def _batches(
    lake: Lake,
    raw_objects: list[str],
    references: list[Reference],
    mapping: EventMapping,
    engine: Engine[Any, Any],
    portion: Portion | None,
) -> Iterator[tuple[Reference, list[Any]]]:
    """Read objects, and cut them into batches of one reference version and bounded size."""
    held: list[Any] = []
    held_bytes = 0
    held_reference: Reference | None = None
    taken_bytes = 0
    for taken, key in enumerate(raw_objects):
        if portion is not None and (taken >= portion.objects or taken_bytes >= portion.size):
            break
        reference = reference_for(references, keys.hour_of(key))
        if held_reference is not None and held and reference != held_reference:
            yield held_reference, engine.parse(held)
            held, held_bytes = [], 0
        item = engine.read(lake, key, mapping, is_listed=True)
        held.append(item)
        held_bytes += item.size
        taken_bytes += item.size
        held_reference = reference
        if held_bytes >= BATCH_BYTES:
            yield reference, engine.parse(held)
            held, held_bytes = [], 0
    if held and held_reference is not None:
        yield held_reference, engine.parse(held)


def store_batch(
    lake: Lake,
    ledger: Ledger,
    cleaned: CleanedObjects,
    raw_objects: list[str],
    *,
    reference_version: str,
    is_reprocessing: bool,
) -> BatchManifest:
    """Write what was made of raw objects, and commit the batch.

    What others commit meanwhile of other objects is no hindrance: the batch follows them.

    Raises:
        BatchConflictError: another process cleaned one of the objects meanwhile.
        ErasedMeanwhileError: users were erased meanwhile.
    """
    while True:
        sequence, newest_hour, recent = ledger.next_batch(raw_objects)
        attempt = uuid4().hex[:8]
        clean_key = partial(keys.clean_object, sequence=sequence, attempt=attempt)
        quarantine_key = partial(keys.quarantine_object, sequence=sequence, attempt=attempt)
        manifest = BatchManifest(
            sequence=sequence,
            raw_objects=raw_objects,
            clean_objects=_write_by_day(lake, cleaned.clean, sequence, clean_key),
            quarantine_objects=_write_by_day(lake, cleaned.quarantined, sequence, quarantine_key),
            rows=cleaned.rows,
            clean=cleaned.clean.height,
            quarantined=cleaned.quarantined.height,
            duplicates=cleaned.duplicates,
            reference_version=reference_version,
            is_reprocessing=is_reprocessing,
            newest_hour=newest_hour.isoformat(),
            recent_objects=recent,
            object_rows=cleaned.object_rows,
            erased=cleaned.erased,
            object_erased=cleaned.object_erased,
        )
        if ledger.commit(manifest):
            return manifest


def _write_by_day(
    lake: Lake, frame: pl.DataFrame, sequence: int, key_of: Callable[[date], str]
) -> list[str]:
    """Write the rows by the day on which their raw object was received."""
    written = []
    by_object = {raw: keys.day_of(raw) for raw in frame[c.RAW_OBJECT].unique()}
    days = frame[c.RAW_OBJECT].replace_strict(by_object, return_dtype=pl.Date)
    tagged = frame.with_columns(pl.lit(sequence, dtype=pl.Int64).alias("batch_sequence"))
    different = days.unique().sort()
    for day in different:
        buffer = io.BytesIO()
        of_day = tagged if len(different) == 1 else tagged.filter(days == day)
        of_day.write_parquet(buffer, compression="zstd")
        key = key_of(day)
        lake.put(key, buffer.getvalue(), mode="create")
        written.append(key)
    return written
