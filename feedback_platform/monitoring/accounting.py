"""Whether every line that was received is accounted for, counted from the lake."""

from __future__ import annotations

import io
from dataclasses import dataclass

import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.lake.batches import BatchManifest, manifests_after
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class Account:
    """What the lake says; received = events + quarantined + duplicates + erased.

    Attributes:
        received: events in the raw objects that were cleaned, and lines that are none.
        events: different events among the clean rows that count.
        quarantined: lines that were put aside.
        erased: what was of users who were erased; nothing is left of it but this count.
    """

    received: int
    events: int
    quarantined: int
    erased: int = 0

    @property
    def duplicates(self) -> int:
        """Deliveries of an event that was there already."""
        return self.received - self.events - self.quarantined - self.erased


def account(lake: Lake, *, through: int) -> Account:
    """Count what batches up to a number made of the raw objects; reads the whole clean layer.

    Of a raw object that was cleaned more than once, only the newest batch counts.
    """
    manifests = [m for m in manifests_after(lake, 0) if m.sequence <= through]
    newest = {key: manifest.sequence for manifest in manifests for key in manifest.raw_objects}
    events = [pl.DataFrame(schema={c.EVENT_ID: pl.String})]
    quarantined = 0
    for manifest in manifests:
        current = {key for key in manifest.raw_objects if newest[key] == manifest.sequence}
        frames = _rows(lake, manifest.clean_objects, current, [c.EVENT_ID])
        events += [frame.select(c.EVENT_ID) for frame in frames]
        for frame in _rows(lake, manifest.quarantine_objects, current, [c.RAW_ROW]):
            quarantined += frame.height
    received = sum(_received(manifest, newest) for manifest in manifests)
    erased = sum(
        count
        for manifest in manifests
        for key, count in manifest.erased_by_object.items()
        if newest[key] == manifest.sequence
    )
    return Account(received, pl.concat(events)[c.EVENT_ID].n_unique(), quarantined, erased)


def _received(manifest: BatchManifest, newest: dict[str, int]) -> int:
    """Return the rows of those raw objects for which a batch counts.

    A mapping that was corrected may make several events of a line, so the newest batch is asked.
    """
    rows = zip(manifest.raw_objects, manifest.object_rows, strict=True)
    return sum(count for key, count in rows if newest[key] == manifest.sequence)


def _rows(lake: Lake, keys: list[str], current: set[str], columns: list[str]) -> list[pl.DataFrame]:
    frames = []
    for key in keys:
        frame = pl.read_parquet(io.BytesIO(lake.get(key)), columns=[*columns, c.RAW_OBJECT])
        frames.append(frame.filter(pl.col(c.RAW_OBJECT).is_in(current)))
    return frames
