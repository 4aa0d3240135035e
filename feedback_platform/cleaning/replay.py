"""Taking quarantined events again: their raw objects are cleaned anew, and replaced if that helps.

A raw object is cleaned with the present contract and mapping, and with the reference statistics
that its rows have now. So a row that nothing was corrected for keeps its values, and a replay
without a correction changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from feedback_platform.cleaning.configuration import SignalRules
from feedback_platform.cleaning.micro_batch import (
    BATCH_BYTES,
    CLEAN_ORDER,
    CleanedObjects,
    clean_objects,
    read_object,
    store_batch,
)
from feedback_platform.cleaning.processing import CleaningOutcome
from feedback_platform.cleaning.quarantine import (
    QuarantineFilter,
    counting_batches,
    placed_rows,
    rows_of,
)
from feedback_platform.cleaning.reading import RawObject
from feedback_platform.cleaning.reference import Reference, load_references, reference_for
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, Ledger, manifests_after
from feedback_platform.lake.store import Lake

_LINE = (c.RAW_OBJECT, c.RAW_ROW)


@dataclass(frozen=True)
class ReplayOutcome:
    """What a replay did.

    Attributes:
        replayed: quarantined rows that were taken again.
        now_clean: events of their lines that are clean since.
        still_quarantined: rows of their lines that are in quarantine still, or anew.
        objects: raw objects that were cleaned again.
        cleaning: the batches that were committed, of those objects whose outcome changed.
    """

    replayed: int
    now_clean: int
    still_quarantined: int
    objects: int
    cleaning: CleaningOutcome


@dataclass(frozen=True)
class _Stored:
    """What a batch made of some of its raw objects."""

    clean: pl.DataFrame | None
    quarantined: pl.DataFrame | None


def replay_quarantine(
    lake: Lake,
    rules: tuple[SignalRules, ...],
    chosen: QuarantineFilter,
    *,
    mapping: EventMapping,
    progress: Callable[[int, int], None] | None = None,
) -> ReplayOutcome:
    """Clean again the raw objects that hold quarantined rows.

    Args:
        lake: the object store.
        rules: the cleaning rules.
        chosen: which quarantined rows are meant. All rows of their objects are cleaned again.
        mapping: what the names of events mean now.
        progress: called with objects done and objects in all.

    Raises:
        BatchConflictError: another process cleaned one of the objects again meanwhile.
    """
    manifests = manifests_after(lake, 0)
    ledger = Ledger(lake, manifests[-1] if manifests else None)
    meant = placed_rows(lake, manifests, chosen).select(_LINE)
    lines = meant.unique()
    affected = set(lines[c.RAW_OBJECT])
    newest = counting_batches(manifests)
    references = load_references(lake)
    committed: list[BatchManifest] = []
    now_clean = still_quarantined = done = 0
    for manifest in manifests:
        pending = sorted(
            key
            for key in manifest.raw_objects
            if key in affected and newest[key] == manifest.sequence
        )
        for objects in _bounded(lake, pending, mapping):
            held = [item.key for item in objects]
            cleaned = clean_objects(objects, rules, _reference(references, manifest, held[0]))
            before = _Stored(
                rows_of(lake, manifest.clean_objects, held),
                rows_of(lake, manifest.quarantine_objects, held),
            )
            now_clean += _on(lines, cleaned.clean) - _on(lines, before.clean)
            still_quarantined += _on(lines, cleaned.quarantined)
            changed = [key for key in held if _differs(key, before, cleaned)]
            if changed:
                committed.append(
                    store_batch(
                        lake,
                        ledger,
                        _part(cleaned, held, changed),
                        changed,
                        reference_version=manifest.reference_version,
                        is_reprocessing=True,
                    )
                )
            done += len(held)
            if progress is not None:
                progress(done, len(affected))
    return ReplayOutcome(
        replayed=meant.height,
        now_clean=now_clean,
        still_quarantined=still_quarantined,
        objects=len(affected),
        cleaning=CleaningOutcome(tuple(committed)),
    )


def _bounded(lake: Lake, pending: list[str], mapping: EventMapping) -> Iterator[list[RawObject]]:
    """Read objects, as many at a time as memory is meant to hold."""
    held: list[RawObject] = []
    size = 0
    for key in pending:
        item = read_object(lake, key, mapping)
        held.append(item)
        size += len(item.content) + item.translated_bytes
        if size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _reference(references: list[Reference], manifest: BatchManifest, key: str) -> Reference:
    """Return the statistics that the rows of a batch have."""
    for reference in references:
        if reference.version == manifest.reference_version:
            return reference
    return reference_for(references, keys.hour_of(key))


def _on(lines: pl.DataFrame, rows: pl.DataFrame | None) -> int:
    """Count the rows that come from some lines."""
    return 0 if rows is None else rows.join(lines, on=_LINE, how="semi").height


def _differs(key: str, before: _Stored, after: CleanedObjects) -> bool:
    return not (
        _same(key, before.clean, after.clean, list(CLEAN_ORDER))
        and _same(key, before.quarantined, after.quarantined, list(_LINE))
    )


def _same(key: str, before: pl.DataFrame | None, after: pl.DataFrame, order: list[str]) -> bool:
    is_of_it = pl.col(c.RAW_OBJECT) == key
    now = after.filter(is_of_it).sort(order, maintain_order=True)
    if before is None:
        return now.is_empty()
    return before.filter(is_of_it).sort(order, maintain_order=True).equals(now)


def _part(cleaned: CleanedObjects, held: list[str], changed: list[str]) -> CleanedObjects:
    """Return what was made of some of the objects."""
    is_changed = pl.col(c.RAW_OBJECT).is_in(changed)
    rows = dict(zip(held, cleaned.object_rows, strict=True))
    object_rows = [rows[key] for key in changed]
    clean = cleaned.clean.filter(is_changed)
    quarantined = cleaned.quarantined.filter(is_changed)
    duplicates = sum(object_rows) - clean.height - quarantined.height
    return CleanedObjects(object_rows, clean, quarantined, duplicates)
