"""Taking quarantined events again: their raw objects are cleaned anew, and replaced if that helps.

A raw object is cleaned with the present contract and mapping, and with the rules and the reference
statistics that its rows have now. So a row that nothing was corrected for keeps its values, and a
replay without a correction changes nothing. Of an object that cannot be read any more, what was
made of it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.definition import CLEAN_ORDER
from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import CleanedObjects, Engine
from feedback_platform.cleaning.kept_rules import keep_rules, kept_rules
from feedback_platform.cleaning.micro_batch import BATCH_BYTES, store_batch
from feedback_platform.cleaning.processing import CleaningOutcome
from feedback_platform.cleaning.quarantine import (
    QuarantineFilter,
    counting_batches,
    placed_rows,
    rows_of,
)
from feedback_platform.cleaning.reference import Reference, load_references, reference_for
from feedback_platform.cleaning.replayed_lines import LINE, ReplayedLines
from feedback_platform.cleaning.rules import RULES_VERSION
from feedback_platform.errors import PermanentError
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, Ledger, manifests_after
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class ReplayOutcome:
    """What a replay did; replayed = now_clean + still_quarantined + duplicates + unreadable.

    These count lines: one that holds several events counts once.

    Attributes:
        replayed: lines that had something in quarantine that was meant.
        now_clean: those of which nothing is left in quarantine, and which bring an event in.
        still_quarantined: those of which something lies in quarantine still, or anew.
        duplicates: those of which nothing is left in quarantine, and whose events are there
            already: from other lines, of the same raw object or of another one.
        unreadable: those whose raw object cannot be read any more; they stay in quarantine.
        objects: raw objects that hold the lines.
        unreadable_objects: those of them that cannot be read as they were before, and why. What
            was made of them stays.
        cleaning: the batches that were committed, of those objects whose outcome changed.
    """

    replayed: int
    now_clean: int
    still_quarantined: int
    duplicates: int
    unreadable: int
    objects: int
    unreadable_objects: Mapping[str, str]
    cleaning: CleaningOutcome


@dataclass(frozen=True)
class _Stored:
    """What a batch made of some of its raw objects."""

    clean: pl.DataFrame | None
    quarantined: pl.DataFrame | None


def replay_quarantine(
    lake: Lake,
    rules: CleaningRules,
    chosen: QuarantineFilter,
    *,
    mapping: EventMapping,
    engine: Engine[Any, Any] = POLARS,
    progress: Callable[[int, int], None] | None = None,
) -> ReplayOutcome:
    """Clean again the raw objects that hold quarantined rows.

    Args:
        lake: the object store.
        rules: the cleaning rules, for objects of which no row says by which it was cleaned.
        chosen: which quarantined rows are meant. All rows of their objects are cleaned again.
        mapping: what the names of events mean now.
        engine: what runs the rules.
        progress: called with objects done and objects in all.

    Raises:
        BatchConflictError: another process cleaned one of the objects again meanwhile.
    """
    manifests = manifests_after(lake, 0)
    ledger = Ledger(lake, manifests[-1] if manifests else None)
    lines = placed_rows(lake, manifests, chosen).select(LINE).unique()
    affected = set(lines[c.RAW_OBJECT])
    newest = counting_batches(manifests)
    references = load_references(lake)
    replayed = ReplayedLines(lines)
    unreadable: dict[str, str] = {}
    committed: list[BatchManifest] = []
    done = 0
    for manifest in manifests:
        pending = sorted(
            key
            for key in manifest.raw_objects
            if key in affected and newest[key] == manifest.sequence
        )
        for objects in _bounded(lake, pending, mapping, engine, unreadable):
            held = [item.key for item in objects]
            before = _Stored(
                rows_of(lake, manifest.clean_objects, held),
                rows_of(lake, manifest.quarantine_objects, held),
            )
            applied = _rules_of(lake, before.clean) or rules
            reference = _reference(references, manifest, held[0])
            cleaned = engine.clean(objects, applied, reference, ledger.tombstones)
            changed = [key for key in held if _differs(key, before, cleaned)]
            damaged = {item.key for item in objects if item.is_unreadable} & set(changed)
            unreadable |= {key: f"The raw object {key} is damaged." for key in damaged}
            changed = [key for key in changed if key not in damaged]
            if changed:
                keep_rules(lake, applied)
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
            readable = set(held) - damaged
            replayed.take(cleaned, readable)
            done += len(readable)
            if progress is not None:
                progress(done + len(unreadable), len(affected))
    now_clean, duplicates = replayed.passed(lake, manifests)
    return ReplayOutcome(
        replayed=lines.height,
        now_clean=now_clean,
        still_quarantined=replayed.still_quarantined,
        duplicates=duplicates,
        unreadable=replayed.of(unreadable).height,
        objects=len(affected),
        unreadable_objects=unreadable,
        cleaning=CleaningOutcome(tuple(committed)),
    )


def _bounded(
    lake: Lake,
    pending: list[str],
    mapping: EventMapping,
    engine: Engine[Any, Any],
    unreadable: dict[str, str],
) -> Iterator[list[Any]]:
    """Read objects, as many at a time as memory is meant to hold; note those that cannot be."""
    held: list[Any] = []
    size = 0
    for key in pending:
        try:
            item = engine.read(lake, key, mapping)
        except PermanentError as error:
            # Deleted or archived, say: no reason to leave the others in quarantine.
            unreadable[key] = str(error)
            continue
        held.append(item)
        size += item.size
        if size >= BATCH_BYTES:
            yield engine.parse(held)
            held, size = [], 0
    if held:
        yield engine.parse(held)


def _reference(references: list[Reference], manifest: BatchManifest, key: str) -> Reference:
    """Return the statistics that the rows of a batch have."""
    for reference in references:
        if reference.version == manifest.reference_version:
            return reference
    return reference_for(references, keys.hour_of(key))


def _rules_of(lake: Lake, clean: pl.DataFrame | None) -> CleaningRules | None:
    """Return the rules that rows of a batch were cleaned by, where that is known."""
    if clean is None or RULES_VERSION not in clean.columns or clean.is_empty():
        return None
    return kept_rules(lake, clean[RULES_VERSION][0])


def _differs(key: str, before: _Stored, after: CleanedObjects) -> bool:
    return not (
        _same(key, before.clean, after.clean, list(CLEAN_ORDER))
        and _same(key, before.quarantined, after.quarantined, list(LINE))
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
    erased = dict(zip(held, cleaned.object_erased, strict=True))
    object_rows = [rows[key] for key in changed]
    object_erased = [erased[key] for key in changed]
    clean = cleaned.clean.filter(is_changed)
    quarantined = cleaned.quarantined.filter(is_changed)
    duplicates = sum(object_rows) - clean.height - quarantined.height - sum(object_erased)
    return CleanedObjects(object_rows, clean, quarantined, duplicates, object_erased)
