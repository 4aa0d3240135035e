"""Storing a data set in the lake once, however often it is imported and wherever it is cut off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import orjson
import polars as pl

from feedback_platform.errors import InvalidInputError, LakeObjectExistsError
from feedback_platform.events import columns as c
from feedback_platform.ingestion.imported import ImportedEvents
from feedback_platform.lake import keys, raw
from feedback_platform.lake.raw import announce_backfill, write_raw_object
from feedback_platform.lake.store import Lake

MAX_EVENTS_PER_OBJECT: Final = 100_000

_STARTED: Final = "started"
_COMPLETE: Final = "complete"


@dataclass(frozen=True)
class ImportSummary:
    """What an import stored, or found stored.

    Attributes:
        name: which data set it is.
        fingerprint: hash of its content.
        objects: number of raw objects that hold it.
        events: number of events in it.
        counts: number of events of each type.
        received_at: the instant under which they are stored; that of the first attempt.
        was_imported_already: whether an earlier import was complete: this one added nothing.
    """

    name: str
    fingerprint: str
    objects: int
    events: int
    counts: Mapping[str, int]
    received_at: datetime
    was_imported_already: bool


def import_events(
    lake: Lake,
    imported: ImportedEvents,
    *,
    now: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Store a data set as raw objects.

    A manifest says that the import has started, and when; then come the raw objects, under keys
    that follow from that instant and the content; then the manifest says that it is complete. A
    rerun after a crash carries on under the same instant and skips what is there, so its objects
    may land behind newer ones: the backfill is announced, and the next cleaning finds them.

    Args:
        lake: where to store it.
        imported: what a reader returned.
        now: the platform's clock, with a time zone.
        progress: called with the number of events stored so far and the number of all.

    Raises:
        LakeUnavailableError: the store failed; the same call carries on where this one stopped.
    """
    manifest = _started(lake, imported, now)
    received_at = datetime.fromisoformat(manifest[c.RECEIVED_AT])
    was_imported_already = manifest["status"] == _COMPLETE
    total = len(imported.lines)
    opening = f'{{"{c.RECEIVED_AT}":"{received_at:%Y-%m-%dT%H:%M:%S.%fZ}",'
    ends = _ends(imported.lines, len(opening))
    if not was_imported_already:
        for number, (start, end) in enumerate(pairwise([0, *ends])):
            sortable_id = f"{received_at:%Y%m%d%H%M%S%f}{imported.fingerprint}{number:06d}"
            lines = imported.lines[start:end]
            ndjson = "".join(f"{opening}{line[1:]}\n" for line in lines)
            with suppress(LakeObjectExistsError):
                write_raw_object(
                    lake,
                    received_at=received_at,
                    source=f"import-{imported.name}",
                    sortable_id=sortable_id,
                    ndjson=ndjson.encode(),
                )
            if progress is not None:
                progress(end, total)
        # A rerun carries on under the first attempt's time, which may lie behind the newest hours.
        announce_backfill(lake, f"import-{imported.name}-{imported.fingerprint}")
        complete = orjson.dumps(manifest | {"status": _COMPLETE})
        lake.put(_manifest_key(imported), complete, mode="overwrite")
    return ImportSummary(
        name=imported.name,
        fingerprint=imported.fingerprint,
        objects=len(ends),
        events=total,
        counts=imported.counts,
        received_at=received_at,
        was_imported_already=was_imported_already,
    )


def _started(lake: Lake, imported: ImportedEvents, now: datetime) -> dict[str, Any]:
    """Return the import's manifest; the first attempt creates it, a later one finds it."""
    if now.utcoffset() != timedelta(0):
        raise InvalidInputError(f"An import's clock says {now}, which is not in UTC.")
    manifest = {
        "name": imported.name,
        "fingerprint": imported.fingerprint,
        "status": _STARTED,
        c.RECEIVED_AT: now.astimezone(UTC).isoformat(),
        "events": len(imported.lines),
        "counts": dict(imported.counts),
    }
    with suppress(LakeObjectExistsError):
        lake.put(_manifest_key(imported), orjson.dumps(manifest), mode="create")
        return manifest
    found: dict[str, Any] = orjson.loads(lake.get(_manifest_key(imported)))
    return found


def _ends(lines: pl.Series, added: int) -> list[int]:
    """Return where each object ends: with its most events, or before its most bytes.

    Args:
        lines: the events.
        added: bytes that each of them has more when it is stored.
    """
    ends: list[int] = []
    for start in range(0, len(lines), MAX_EVENTS_PER_OBJECT):
        size = 0
        sizes = lines[start : start + MAX_EVENTS_PER_OBJECT].str.len_bytes()
        for at, line_bytes in enumerate(sizes, start=start):
            size += line_bytes + added
            if size > raw.MAX_OBJECT_BYTES and at > start:
                ends.append(at)
                size = line_bytes + added
        ends.append(start + len(sizes))
    return ends


def _manifest_key(imported: ImportedEvents) -> str:
    return keys.import_manifest(imported.name, imported.fingerprint)
