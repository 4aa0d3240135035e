"""What lies in quarantine now, and taking it again after the contract or the mapping was corrected.

Only what the newest batch says of a raw object counts: of what was replaced nothing shows.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from feedback_platform.cleaning import validation as v
from feedback_platform.cleaning.quarantined_rows import QUARANTINE_SCHEMA, RAW, SOURCE
from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, manifests_after
from feedback_platform.lake.store import Lake

EVENTS: Final = "events"
# Where a row lies in the lake: its Parquet object, and its number there.
_OBJECT: Final = "quarantine_object"
_INDEX: Final = "quarantine_index"
_LISTED: Final = [name for name in QUARANTINE_SCHEMA if name != RAW]
_PLACED_SCHEMA: Final = {name: QUARANTINE_SCHEMA[name] for name in _LISTED} | {
    _OBJECT: pl.String,
    _INDEX: pl.Int64,
}
# A line may have been received up to a day from the hour of its object, by which they are filed.
_REACH: Final = timedelta(days=1)


@dataclass(frozen=True)
class QuarantineFilter:
    """Which rows are meant; a criterion that is None leaves none out.

    Attributes:
        reason: exactly this one.
        source: this one; `collector` means those of every write key.
        first, last: the UTC days of reception, both included.
    """

    reason: str | None = None
    source: str | None = None
    first: date | None = None
    last: date | None = None

    def may_lie_in(self, quarantine_key: str) -> bool:
        """Return whether rows that are meant may lie in an object of the quarantine."""
        day = keys.day_of(quarantine_key)
        return not (
            (self.first is not None and day < self.first - _REACH)
            or (self.last is not None and day > self.last + _REACH)
        )

    def condition(self) -> pl.Expr:
        """Return what a row that is meant fulfils."""
        day = pl.col(c.RECEIVED_AT).dt.date()
        source = pl.col(SOURCE)
        criteria = [pl.lit(value=True)]
        if self.reason is not None:
            criteria.append(pl.col(v.REASON) == self.reason)
        if self.source is not None:
            criteria.append((source == self.source) | source.str.starts_with(f"{self.source}/"))
        if self.first is not None:
            criteria.append(day >= self.first)
        if self.last is not None:
            criteria.append(day <= self.last)
        return pl.all_horizontal(criteria)


@dataclass(frozen=True)
class QuarantineListing:
    """What lies in quarantine.

    Attributes:
        rows: `QUARANTINE_SCHEMA`, newest first, as many as were asked for.
        counts: `reason` and `events` of all rows that are meant, most frequent first.
    """

    rows: pl.DataFrame
    counts: pl.DataFrame

    @property
    def total(self) -> int:
        """How many rows are meant."""
        return int(self.counts[EVENTS].sum())


def list_quarantine(
    lake: Lake, chosen: QuarantineFilter, *, limit: int | None = None
) -> QuarantineListing:
    """Return the quarantined rows that are meant, newest first.

    Args:
        lake: the object store.
        chosen: which ones.
        limit: how many rows to return at most; all are counted.
    """
    placed = placed_rows(lake, manifests_after(lake, 0), chosen)
    counts = (
        placed.group_by(v.REASON)
        .agg(pl.len().cast(pl.Int64).alias(EVENTS))
        .sort(EVENTS, v.REASON, descending=[True, False])
    )
    newest = placed.sort(
        c.RECEIVED_AT, c.RAW_OBJECT, c.RAW_ROW, descending=True, maintain_order=True
    )
    shown = newest if limit is None else newest.head(limit)
    return QuarantineListing(_with_raw(lake, shown), counts)


def placed_rows(
    lake: Lake, manifests: list[BatchManifest], chosen: QuarantineFilter
) -> pl.DataFrame:
    """Return the quarantined rows that count and are meant, without their bytes.

    Args:
        lake: the object store.
        manifests: of all batches.
        chosen: which rows.
    """
    newest = counting_batches(manifests)
    frames = [pl.DataFrame(schema=_PLACED_SCHEMA)]
    for manifest in manifests:
        counting = [key for key in manifest.raw_objects if newest[key] == manifest.sequence]
        for key in filter(chosen.may_lie_in, manifest.quarantine_objects):
            frame = (
                pl.read_parquet(io.BytesIO(lake.get(key)), columns=_LISTED)
                .with_row_index(_INDEX)
                .with_columns(pl.col(_INDEX).cast(pl.Int64), pl.lit(key).alias(_OBJECT))
                .filter(chosen.condition() & pl.col(c.RAW_OBJECT).is_in(counting))
            )
            frames.append(frame.select(_PLACED_SCHEMA.keys()))
    return pl.concat(frames)


def counting_batches(manifests: list[BatchManifest]) -> dict[str, int]:
    """Return for each raw object the number of the batch whose rows count."""
    return {key: manifest.sequence for manifest in manifests for key in manifest.raw_objects}


def rows_of(lake: Lake, stored: list[str], raw_objects: Collection[str]) -> pl.DataFrame | None:
    """Return what Parquet objects of a batch hold of some raw objects; None when there are none."""
    frames = [
        pl.read_parquet(io.BytesIO(lake.get(key))).filter(
            pl.col(c.RAW_OBJECT).is_in(list(raw_objects))
        )
        for key in stored
    ]
    return pl.concat(frames).drop("batch_sequence") if frames else None


def _with_raw(lake: Lake, placed: pl.DataFrame) -> pl.DataFrame:
    """Fetch the bytes of the rows that are shown, and of no others."""
    fetched = [pl.DataFrame(schema={_OBJECT: pl.String, _INDEX: pl.Int64, RAW: pl.Binary})]
    for (key,), rows in placed.group_by(_OBJECT):
        raw = pl.read_parquet(io.BytesIO(lake.get(str(key))), columns=[RAW])
        fetched.append(rows.select(_OBJECT, _INDEX).with_columns(raw[rows[_INDEX]][RAW]))
    return placed.join(
        pl.concat(fetched), on=[_OBJECT, _INDEX], how="left", maintain_order="left"
    ).select(QUARANTINE_SCHEMA.keys())
