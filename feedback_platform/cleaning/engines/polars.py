"""Polars, in this process."""

from __future__ import annotations

from typing import Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.definition import (
    IDENTITY,
    distinct_events,
    finished,
    refused_events,
    valid_events,
)
from feedback_platform.cleaning.engines.port import CleanedObjects
from feedback_platform.cleaning.fetching import fetch_object
from feedback_platform.cleaning.quarantined_rows import quarantined_rows
from feedback_platform.cleaning.reading import CanonicalLines, RawObject, parse_objects
from feedback_platform.cleaning.reference import Reference
from feedback_platform.cleaning.rules import apply_rules, rule_table
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.cleaning.validation import with_rejections
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.store import Lake


class PolarsEngine:
    """The engine that needs nothing else; see `Engine`."""

    def read(
        self, lake: Lake, key: str, mapping: EventMapping, *, is_listed: bool = False
    ) -> CanonicalLines:
        """Fetch one raw object, and translate what is not canonical yet."""
        return fetch_object(lake, key, mapping, is_listed=is_listed).canonical()

    def clean(
        self, objects: list[CanonicalLines], rules: CleaningRules, reference: Reference
    ) -> CleanedObjects:
        """Apply the contract and the rules."""
        return clean_objects(parse_objects(objects), rules, reference)


_POSITION: Final = "position_in_batch"
POLARS: Final = PolarsEngine()


def clean_objects(
    objects: list[RawObject], rules: CleaningRules, reference: Reference
) -> CleanedObjects:
    """Apply the contract and the rules to raw objects that have been read."""
    events = typed_events([item.texts for item in objects])
    checked = with_rejections(nw.from_native(events.lazy())).to_native().collect()
    refused = refused_events(nw.from_native(checked.lazy())).to_native().collect()
    valid = valid_events(nw.from_native(checked.lazy())).to_native().collect()
    clean = (
        apply_rules(
            nw.from_native(_distinct(valid).lazy()),
            nw.from_native(rule_table(rules, reference).lazy()),
            rules=rules,
            reference_version=reference.version,
        )
        .to_native()
        .collect()
    )
    return CleanedObjects(
        object_rows=[item.lines for item in objects],
        clean=finished(clean),
        quarantined=quarantined_rows(objects, refused),
        duplicates=valid.height - clean.height,
    )


def _distinct(valid: pl.DataFrame) -> pl.DataFrame:
    """Ask the definition only about events that come more than once; most do not."""
    is_repeated = valid.select(pl.struct(IDENTITY).is_duplicated()).to_series()
    if not is_repeated.any():
        return valid
    repeated = valid.with_row_index(_POSITION).filter(is_repeated)
    chosen = distinct_events(nw.from_native(repeated.lazy())).to_native().collect()
    return valid.filter((~is_repeated).scatter(chosen[_POSITION], values=True))
