"""Polars, in this process: each raw object is parsed as soon as it is read."""

from __future__ import annotations

from typing import Final

import narwhals as nw

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.definition import clean_events, finished, refused_events
from feedback_platform.cleaning.engines.port import CleanedObjects
from feedback_platform.cleaning.fetching import read_object
from feedback_platform.cleaning.quarantined_rows import quarantined_rows
from feedback_platform.cleaning.reading import RawObject, typed_events
from feedback_platform.cleaning.reference import Reference
from feedback_platform.cleaning.rules import rule_table
from feedback_platform.cleaning.validation import with_rejections
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.store import Lake


class PolarsEngine:
    """The engine that needs nothing else; see `Engine`."""

    def read(
        self, lake: Lake, key: str, mapping: EventMapping, *, is_listed: bool = False
    ) -> RawObject:
        """Read and parse one raw object."""
        return read_object(lake, key, mapping, is_listed=is_listed)

    def clean(
        self, objects: list[RawObject], rules: CleaningRules, reference: Reference
    ) -> CleanedObjects:
        """Apply the contract and the rules."""
        return clean_objects(objects, rules, reference)


POLARS: Final = PolarsEngine()


def clean_objects(
    objects: list[RawObject], rules: CleaningRules, reference: Reference
) -> CleanedObjects:
    """Apply the contract and the rules to raw objects that have been read."""
    events = typed_events([item.texts for item in objects])
    checked = with_rejections(nw.from_native(events.lazy())).to_native().collect()
    table = rule_table(rules, reference)
    refused = refused_events(nw.from_native(checked.lazy())).to_native().collect()
    clean = (
        clean_events(
            nw.from_native(checked.lazy()),
            nw.from_native(table.lazy()),
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
        duplicates=checked.height - refused.height - clean.height,
    )
