"""The clean layer and the quarantine without rows of erased users; all others stay as they are."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from feedback_platform.cleaning.erased_events import erased_events, names_erased
from feedback_platform.cleaning.quarantined_rows import RAW
from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, manifests_after, replace_manifest
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import Tombstones
from feedback_platform.privacy.raw_lines import ROWS

_PLACE: Final = [c.RAW_OBJECT, c.RAW_ROW]
CLEAN_COLUMNS: Final = [
    *_PLACE,
    c.USER_ID,
    c.ANONYMOUS_ID,
    c.EVENT_TYPE,
    c.PROPERTIES,
    c.OCCURRED_AT,
    c.RECEIVED_AT,
]
_QUARANTINED: Final = [*_PLACE, c.RECEIVED_AT, RAW]
# Of a clean row the clock is corrected already.
CLEAN_HAPPENED: Final = pl.min_horizontal(c.OCCURRED_AT, c.RECEIVED_AT)


@dataclass
class ErasedRows:
    """What a pass over Parquet objects did.

    Attributes:
        looked_at, rewritten: objects.
        removed: rows.
        left: rows that each object has now, by their raw object.
    """

    looked_at: int = 0
    rewritten: int = 0
    removed: int = 0
    left: dict[str, Counter[str]] = field(default_factory=dict)


def erase_clean_rows(lake: Lake, tombstones: Tombstones, lines: pl.DataFrame) -> ErasedRows:
    """Take the rows of erased users out of the clean layer, files that never counted included.

    Args:
        lake: where it lies.
        tombstones: who was erased.
        lines: of the raw objects that are erased.
    """
    return _rewritten(
        lake,
        keys.CLEAN,
        CLEAN_COLUMNS,
        lines,
        lambda rows: erased_events(rows, tombstones, CLEAN_HAPPENED),
    )


def erase_quarantined_rows(lake: Lake, tombstones: Tombstones, lines: pl.DataFrame) -> ErasedRows:
    """Take the rows of erased users, with their bytes, out of the quarantine."""

    def is_erased(rows: pl.DataFrame) -> pl.Series:
        pairs = rows.select(RAW, c.RECEIVED_AT).iter_rows()
        named = [names_erased(raw, received, tombstones) for raw, received in pairs]
        return pl.Series(named, dtype=pl.Boolean)

    return _rewritten(lake, keys.QUARANTINE, _QUARANTINED, lines, is_erased)


def correct_manifests(
    lake: Lake, lines: pl.DataFrame, clean: ErasedRows, quarantined: ErasedRows, *, before: int
) -> int:
    """Let the ledger say what its batches hold now, and return how many were corrected.

    What was received stays accounted for: rows that are gone count as erased. The figures are
    worked out from what is there, so it may be done again after a crash.

    Args:
        lake: where the ledger lies.
        lines: of the raw objects that are erased.
        clean, quarantined: what the passes found.
        before: the batch behind which nothing is corrected. Objects of later ones may not have been
            listed, and hold nothing of the users: their cleaners knew the tombstones.
    """
    erased = dict(lines.group_by(c.RAW_OBJECT).agg(pl.col(ROWS).sum()).iter_rows())
    corrected = 0
    for manifest in manifests_after(lake, 0):
        if manifest.sequence >= before:
            break
        if erased.keys().isdisjoint(manifest.raw_objects):
            continue
        found = _corrected(
            manifest,
            erased,
            _left(manifest.clean_objects, clean),
            _left(manifest.quarantine_objects, quarantined),
        )
        if found != manifest:
            replace_manifest(lake, found)
            corrected += 1
    return corrected


def _corrected(
    manifest: BatchManifest, erased: dict[str, int], clean: Counter[str], put_aside: Counter[str]
) -> BatchManifest:
    rows = zip(manifest.raw_objects, manifest.object_rows, strict=True)
    # With another mapping a line may count for another number of rows today.
    object_erased = [
        min(erased.get(key, 0), count - clean[key] - put_aside[key]) for key, count in rows
    ]
    return replace(
        manifest,
        clean=clean.total(),
        quarantined=put_aside.total(),
        erased=sum(object_erased),
        object_erased=object_erased,
        duplicates=manifest.rows - clean.total() - put_aside.total() - sum(object_erased),
    )


def _left(objects: list[str], rows: ErasedRows) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key in objects:
        counted.update(rows.left.get(key, Counter()))
    return counted


def _rewritten(
    lake: Lake,
    prefix: str,
    columns: list[str],
    lines: pl.DataFrame,
    is_erased: Callable[[pl.DataFrame], pl.Series],
) -> ErasedRows:
    outcome = ErasedRows()
    places = lines.select(_PLACE)
    for key in lake.list_keys(prefix):
        data = lake.get(key)
        rows = pl.read_parquet(io.BytesIO(data), columns=columns)
        at_place = rows.select(_PLACE).with_row_index().join(places, on=_PLACE, how="semi")
        gone = is_erased(rows).scatter(at_place["index"].to_list(), values=True)
        left = rows.filter(~gone)
        outcome.looked_at += 1
        outcome.left[key] = Counter(dict(left[c.RAW_OBJECT].value_counts().iter_rows()))
        if gone.any():
            buffer = io.BytesIO()
            pl.read_parquet(io.BytesIO(data)).filter(~gone).write_parquet(
                buffer, compression="zstd"
            )
            lake.put(key, buffer.getvalue(), mode="overwrite")
            outcome.rewritten += 1
            outcome.removed += int(gone.sum())
    return outcome
