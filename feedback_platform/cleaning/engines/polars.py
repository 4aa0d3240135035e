"""Polars, in this process."""

from __future__ import annotations

from typing import Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.definition import (
    CLEAN_ORDER,
    distinct_events,
    finished,
    refused_events,
)
from feedback_platform.cleaning.engines.port import CleanedObjects
from feedback_platform.cleaning.erased_events import without_erased
from feedback_platform.cleaning.fetching import fetch_object
from feedback_platform.cleaning.quarantined_rows import quarantined_rows
from feedback_platform.cleaning.reading import CanonicalLines, RawObject, parse_objects
from feedback_platform.cleaning.reference import Reference
from feedback_platform.cleaning.rules import apply_rules, rule_table
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.cleaning.validation import (
    MALFORMED_FIELD,
    is_refused,
    with_rejections,
)
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import NOBODY, Tombstones


class PolarsEngine:
    """The engine that needs nothing else; see `Engine`."""

    def read(
        self, lake: Lake, key: str, mapping: EventMapping, *, is_listed: bool = False
    ) -> CanonicalLines:
        """Fetch one raw object, and translate what is not canonical yet."""
        return fetch_object(lake, key, mapping, is_listed=is_listed).canonical()

    def parse(self, objects: list[CanonicalLines]) -> list[RawObject]:
        """Parse the JSON of raw objects."""
        return parse_objects(objects)

    def clean(
        self,
        objects: list[RawObject],
        rules: CleaningRules,
        reference: Reference,
        tombstones: Tombstones = NOBODY,
    ) -> CleanedObjects:
        """Apply the contract and the rules."""
        return clean_objects(objects, rules, reference, tombstones)


_POSITION: Final = "position_in_batch"
_IS_REFUSED: Final = "is_refused"
POLARS: Final = PolarsEngine()


def clean_objects(
    objects: list[RawObject],
    rules: CleaningRules,
    reference: Reference,
    tombstones: Tombstones = NOBODY,
) -> CleanedObjects:
    """Apply the contract and the rules to raw objects that have been read."""
    events = typed_events([item.texts for item in objects])
    objects, events = without_erased(objects, events, tombstones)
    refusals = _collected(_narwhals(events).select(is_refused().alias(_IS_REFUSED)))
    is_valid = ~refusals[_IS_REFUSED]
    refused = refused_events(with_rejections(_narwhals(events.filter(~is_valid))))
    is_kept = _first_of_each(events, is_valid)
    # In the order in which they are stored: later there are twice as many columns to put into it.
    order = events.select(pl.arg_sort_by(CLEAN_ORDER)).to_series()
    kept = events.drop(MALFORMED_FIELD)[order.filter(is_kept.gather(order))]
    clean = apply_rules(
        _narwhals(kept),
        _narwhals(rule_table(rules, reference)),
        rules=rules,
        reference_version=reference.version,
    )
    return CleanedObjects(
        object_rows=[item.lines for item in objects],
        clean=finished(_collected(clean)),
        quarantined=quarantined_rows(objects, _collected(refused)),
        duplicates=int(is_valid.sum()) - kept.height,
        object_erased=[item.erased for item in objects],
    )


def _first_of_each(events: pl.DataFrame, is_valid: pl.Series) -> pl.Series:
    """Return which valid events are not there already.

    The definition is asked only about those whose id comes more than once; most do not.
    """
    is_repeated = is_valid & events[c.EVENT_ID].is_duplicated()
    if not is_repeated.any():
        return is_valid
    places = events.select(CLEAN_ORDER).with_row_index(_POSITION).filter(is_repeated)
    chosen = _collected(distinct_events(_narwhals(places)))
    return (is_valid & ~is_repeated).scatter(chosen[_POSITION], values=True)


def _narwhals(frame: pl.DataFrame) -> nw.LazyFrame[pl.LazyFrame]:
    return nw.from_native(frame.lazy())


def _collected(frame: nw.LazyFrame[pl.LazyFrame]) -> pl.DataFrame:
    # The streaming engine loses the order in a join, and takes more of the processor's time.
    return frame.to_native().collect(engine="in-memory")
