"""What became of the lines that a replay took again. Each counts once, so the counts balance."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Final

import polars as pl

from feedback_platform.cleaning.engines.port import CleanedObjects
from feedback_platform.cleaning.quarantine import counting_batches
from feedback_platform.events import columns as c
from feedback_platform.lake.batches import BatchManifest
from feedback_platform.lake.store import Lake

LINE: Final = (c.RAW_OBJECT, c.RAW_ROW)
_EVENT: Final = [*LINE, c.EVENT_ID]
_EVENT_SCHEMA: Final = {c.RAW_OBJECT: pl.String, c.RAW_ROW: pl.Int64, c.EVENT_ID: pl.String}


class ReplayedLines:
    """The lines that had something in quarantine, and what they hold since."""

    def __init__(self, lines: pl.DataFrame) -> None:
        """Begin with the lines that are meant: `LINE`, each once."""
        self._lines = lines
        self._events = [pl.DataFrame(schema=_EVENT_SCHEMA)]
        self.still_quarantined = 0
        self._passed = 0

    def take(self, cleaned: CleanedObjects, raw_objects: Collection[str]) -> None:
        """Note what was made of some of the raw objects."""
        lines = self.of(raw_objects)
        refused = lines.join(cleaned.quarantined, on=LINE, how="semi")
        passed = lines.join(refused, on=LINE, how="anti")
        self.still_quarantined += refused.height
        self._passed += passed.height
        self._events.append(cleaned.clean.select(_EVENT).join(passed, on=LINE, how="semi"))

    def of(self, raw_objects: Collection[str]) -> pl.DataFrame:
        """Return the lines of some raw objects."""
        return self._lines.filter(pl.col(c.RAW_OBJECT).is_in(list(raw_objects)))

    def passed(self, lake: Lake, manifests: list[BatchManifest]) -> tuple[int, int]:
        """Count the lines without anything in quarantine: those that bring an event, and others.

        All events of the others are there already, or come from another of these lines. To know
        that, the ids of the whole clean layer are read, unless no line got so far.

        Args:
            lake: the object store.
            manifests: of all batches before the replay.
        """
        events = pl.concat(self._events)
        held = _holders(lake, manifests, events) if events.height else events
        is_same_line = (pl.col(c.RAW_OBJECT) == pl.col("of_object")) & (
            pl.col(c.RAW_ROW) == pl.col("of_row")
        )
        known = events.join(
            held.rename({c.RAW_OBJECT: "of_object", c.RAW_ROW: "of_row"}), on=c.EVENT_ID
        ).filter(~is_same_line)
        brought = events.join(known, on=_EVENT, how="anti").unique(
            c.EVENT_ID, keep="first", maintain_order=True
        )
        bringing = brought.select(LINE).n_unique()
        return bringing, self._passed - bringing


def _holders(lake: Lake, manifests: list[BatchManifest], events: pl.DataFrame) -> pl.DataFrame:
    """Return the lines from which some events came before, with the events' ids."""
    newest = counting_batches(manifests)
    frames = [pl.DataFrame(schema=_EVENT_SCHEMA)]
    for manifest in manifests:
        counting = [key for key in manifest.raw_objects if newest[key] == manifest.sequence]
        for key in manifest.clean_objects if counting else []:
            rows = pl.read_parquet(io.BytesIO(lake.get(key)), columns=_EVENT)
            meant = rows.join(events, on=c.EVENT_ID, how="semi")
            frames.append(meant.filter(pl.col(c.RAW_OBJECT).is_in(counting)).select(_EVENT))
    return pl.concat(frames)
