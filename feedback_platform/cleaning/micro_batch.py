"""One micro-batch: raw objects in, clean and quarantined rows out, a manifest that makes it count.

A batch that dies on the way leaves files that nobody counts; the next attempt writes others.
Memory is bounded: a long list of objects becomes several batches.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final
from uuid import uuid4

import narwhals as nw
import polars as pl

from feedback_platform.cleaning import validation as v
from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.quarantined_rows import quarantined_rows
from feedback_platform.cleaning.reading import (
    RawObject,
    parse_raw_object,
    typed_events,
    unreadable_object,
)
from feedback_platform.cleaning.reference import Reference, reference_for
from feedback_platform.cleaning.rules import apply_rules, rule_table
from feedback_platform.errors import InvalidInputError, LakeObjectMissingError
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, Ledger
from feedback_platform.lake.raw import read_raw_object
from feedback_platform.lake.store import Lake

# Uncompressed raw bytes that one batch holds in memory at most (a single object may be larger).
BATCH_BYTES: Final = 192 << 20
# How much of an unreadable object is quoted in quarantine; the object itself stays where it is.
QUOTED_BYTES: Final = 1 << 10

# A line may hold several events, which only their ids tell apart.
CLEAN_ORDER: Final = (c.RECEIVED_AT, c.RAW_OBJECT, c.RAW_ROW, c.EVENT_ID)


@dataclass(frozen=True)
class CleanedObjects:
    """What the rules made of some raw objects; rows = clean + quarantined + duplicates.

    What becomes of an object does not depend on those beside it, so that an object that is cleaned
    again replaces exactly its own rows. An event that several objects hold is counted once by
    whoever reads all of them.

    Attributes:
        object_rows: events and refused lines of each object.
        clean: one row per event and object, in the order of `CLEAN_ORDER`.
        quarantined: `QUARANTINE_SCHEMA`, one row per rejected event or line, with its bytes.
        duplicates: rows left out because an earlier one of the same object has the same event_id.
    """

    object_rows: list[int]
    clean: pl.DataFrame
    quarantined: pl.DataFrame
    duplicates: int

    @property
    def rows(self) -> int:
        """Events and refused lines of all objects."""
        return sum(self.object_rows)


def clean_objects(
    objects: list[RawObject], rules: CleaningRules, reference: Reference
) -> CleanedObjects:
    """Apply the contract and the rules to raw objects that have been read."""
    read = typed_events([item.texts for item in objects])
    checked = v.with_rejections(nw.from_native(read.lazy())).to_native().collect()
    rejected = checked.filter(pl.col(v.REASON).is_not_null())
    valid = checked.filter(pl.col(v.REASON).is_null()).drop(v.REASON, v.FIELD, v.MALFORMED_FIELD)
    distinct = valid.sort(CLEAN_ORDER).unique(
        [c.RAW_OBJECT, c.EVENT_ID], keep="first", maintain_order=True
    )
    table = rule_table(rules, reference)
    clean = (
        apply_rules(
            nw.from_native(distinct.lazy()),
            nw.from_native(table.lazy()),
            rules=rules,
            reference_version=reference.version,
        )
        .to_native()
        .collect()
        .sort(CLEAN_ORDER)
    )
    return CleanedObjects(
        object_rows=[item.lines for item in objects],
        clean=clean,
        quarantined=quarantined_rows(objects, rejected),
        duplicates=valid.height - distinct.height,
    )


def clean_pending(
    lake: Lake,
    raw_objects: list[str],
    rules: CleaningRules,
    references: list[Reference],
    *,
    ledger: Ledger,
    mapping: EventMapping = DEFAULT_MAPPING,
    is_reprocessing: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[BatchManifest]:
    """Clean raw objects and commit the batches.

    Args:
        lake: where they lie and where the results go.
        raw_objects: keys, sorted.
        rules: the cleaning rules.
        references: all reference versions, oldest first; each object uses the one in effect when
            it was received.
        ledger: as it was before the objects were chosen.
        mapping: what the names of events in received lines mean.
        is_reprocessing: the objects have been cleaned before; the new rows replace the old ones.
        progress: called with objects done and objects in all.

    Returns:
        The committed manifests, in order; none when there is nothing to clean.

    Raises:
        BatchConflictError: another process cleaned one of the objects meanwhile.
    """
    manifests: list[BatchManifest] = []
    done = 0
    for reference, objects in _batches(lake, raw_objects, references, mapping):
        cleaned = clean_objects(objects, rules, reference)
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
    lake: Lake, raw_objects: list[str], references: list[Reference], mapping: EventMapping
) -> Iterator[tuple[Reference, list[RawObject]]]:
    """Cut the objects into batches of one reference version and bounded size."""
    held: list[RawObject] = []
    held_bytes = 0
    held_reference: Reference | None = None
    for key in raw_objects:
        reference = reference_for(references, keys.hour_of(key))
        if held_reference is not None and held and reference != held_reference:
            yield held_reference, held
            held, held_bytes = [], 0
        item = read_listed(lake, key, mapping)
        held.append(item)
        held_bytes += len(item.content) + item.translated_bytes
        held_reference = reference
        if held_bytes >= BATCH_BYTES:
            yield reference, held
            held, held_bytes = [], 0
    if held and held_reference is not None:
        yield held_reference, held


def read_object(lake: Lake, key: str, mapping: EventMapping = DEFAULT_MAPPING) -> RawObject:
    """Read one raw object; one that is none becomes a single rejected line, and holds nobody up."""
    try:
        return parse_raw_object(key, read_raw_object(lake, key), mapping)
    except InvalidInputError:
        return unreadable_object(key, lake.get(key)[:QUOTED_BYTES])


def read_listed(lake: Lake, key: str, mapping: EventMapping = DEFAULT_MAPPING) -> RawObject:
    """Read one raw object that a listing showed.

    Beside the files of Firehose a listing also shows the marks of empty folders, which consoles
    make and which cannot be read by the name that is shown; there is nothing in them.
    """
    try:
        return read_object(lake, key, mapping)
    except LakeObjectMissingError:
        if not keys.is_firehose(key):
            raise
        return parse_raw_object(key, b"", mapping)


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
    for day in days.unique().sort():
        buffer = io.BytesIO()
        tagged.filter(days == day).write_parquet(buffer, compression="zstd")
        key = key_of(day)
        lake.put(key, buffer.getvalue(), mode="create")
        written.append(key)
    return written
