"""Spark: raw objects are parsed in its Python workers, and the rules run as its own columns."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.definition import (
    distinct_events,
    finished,
    refused_events,
    valid_events,
)
from feedback_platform.cleaning.engines.port import CleanedObjects
from feedback_platform.cleaning.engines.spark_parsing import (
    BESIDE,
    Parsing,
    contents,
    parsed_columns,
    without_events,
)
from feedback_platform.cleaning.erased_events import without_erased_lines
from feedback_platform.cleaning.fetching import FetchedObject, fetch_object
from feedback_platform.cleaning.quarantined_rows import quarantined_rows
from feedback_platform.cleaning.reading import RawObject, parse_objects
from feedback_platform.cleaning.reference import Reference
from feedback_platform.cleaning.rules import apply_rules, rule_table
from feedback_platform.cleaning.validation import with_rejections
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import NOBODY, Tombstones
from feedback_platform.spark_session import spark_session

# What a task gets at most, unless its first object alone is more: Spark refuses one of 128 MiB.
_PART_BYTES: Final = 16 << 20


class SparkEngine:
    """The engine for those who have Spark; see `Engine`.

    Raises:
        SparkUnavailableError: it cannot be started here.
    """

    def __init__(self) -> None:
        self._spark = spark_session()

    def read(
        self, lake: Lake, key: str, mapping: EventMapping, *, is_listed: bool = False
    ) -> FetchedObject:
        """Fetch one raw object."""
        return fetch_object(lake, key, mapping, is_listed=is_listed)

    def parse(self, objects: list[FetchedObject]) -> list[FetchedObject]:
        """Return them as they are: Spark's workers parse them with everything else."""
        return objects

    def clean(
        self,
        objects: list[FetchedObject],
        rules: CleaningRules,
        reference: Reference,
        tombstones: Tombstones = NOBODY,
    ) -> CleanedObjects:
        """Apply the contract and the rules."""
        readable = [item for item in objects if not item.is_unreadable]
        parsed = self._parsed(readable, objects[0].mapping, tombstones).persist()
        try:
            beside = _collected(parsed.select(c.RAW_OBJECT, BESIDE).where(f"{BESIDE} is not null"))
            events = parsed.where(f"{BESIDE} is null").drop(BESIDE)
            checked = with_rejections(nw.from_native(events))
            table = self._spark.createDataFrame(rule_table(rules, reference).to_arrow())
            refused = _collected(refused_events(checked).to_native())
            clean = _collected(
                apply_rules(
                    distinct_events(valid_events(checked)),
                    nw.from_native(table.hint("broadcast")),
                    rules=rules,
                    reference_version=reference.version,
                ).to_native()
            )
        finally:
            parsed.unpersist()
        read = _read(objects, dict(beside.iter_rows()), tombstones)
        lines = sum(item.lines for item in read)
        quarantined = quarantined_rows(read, refused)
        erased = [item.erased for item in read]
        return CleanedObjects(
            object_rows=[item.lines for item in read],
            clean=finished(clean),
            quarantined=quarantined,
            duplicates=lines - quarantined.height - clean.height - sum(erased),
            object_erased=erased,
        )

    def _parsed(
        self, objects: list[FetchedObject], mapping: EventMapping, tombstones: Tombstones
    ) -> Any:
        share = sum(item.size for item in objects) // self._spark.sparkContext.defaultParallelism
        rows = self._spark.createDataFrame(contents(objects, min(_PART_BYTES, share)))
        return rows.mapInArrow(Parsing(mapping, tombstones), parsed_columns())


def _collected(frame: Any) -> pl.DataFrame:
    return pl.DataFrame(frame.toArrow())


def _read(
    objects: list[FetchedObject], beside: dict[str, str], tombstones: Tombstones
) -> list[RawObject]:
    return [
        without_erased_lines(parse_objects([item.canonical()])[0], tombstones)
        if item.is_unreadable
        else without_events(item, beside[item.key])
        for item in objects
    ]
