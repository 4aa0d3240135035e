"""What there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Period
from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform.dashboard.tables import Table

UNASSIGNED: Final = "unassigned"
# What tells the days for which there is anything to see.
_DAILY: Final = (
    tables.ENGAGEMENT, tables.SATISFACTION, tables.CONVERSION, tables.QUARANTINE,
    tables.LOOP_HEALTH,
)  # fmt: skip


@dataclass(frozen=True)
class Choices:
    """What a visitor can choose from.

    Attributes:
        period: the first and the last day with figures, or None before there are any.
        segments: name of each segment, by its id, in their order.
        placements: parts of the product, the busiest first.
        variants: of experiments.
    """

    period: Period | None
    segments: dict[str, str]
    placements: tuple[str, ...]
    variants: tuple[str, ...]


def choices(snapshot: Snapshot) -> Choices:
    """Return what there is to choose from; a table that is missing adds nothing."""
    return Choices(
        _period(snapshot), _segments(snapshot), _placements(snapshot), _variants(snapshot)
    )


def segment_names(snapshot: Snapshot) -> dict[str, str]:
    """Return the name of each segment in use, by its id as text."""
    if not snapshot.has(tables.PROFILES):
        return {}
    found = snapshot.rows(
        tables.PROFILES,
        "select segment_id::varchar as segment, name from ml.segment_profiles order by segment_id",
    )
    return dict(found.iter_rows())


def _period(snapshot: Snapshot) -> Period | None:
    spans = [_span(snapshot, table) for table in _DAILY if snapshot.has(table)]
    found = [each for each in spans if each is not None]
    if not found:
        return None
    return Period(min(each.first for each in found), max(each.last for each in found))


def _span(snapshot: Snapshot, table: Table) -> Period | None:
    # The name is one of ours, out of `tables`.
    ((first, last),) = snapshot.rows(
        table,
        f"select min(day)::date, max(day)::date from {table.name}",
    ).iter_rows()
    return None if first is None else Period(first, last)


def _segments(snapshot: Snapshot) -> dict[str, str]:
    names = segment_names(snapshot)
    if not snapshot.has(tables.ENGAGEMENT):
        return names
    measured = snapshot.rows(
        tables.ENGAGEMENT,
        "select distinct segment from metrics.engagement_daily order by try_cast(segment as int)",
    )["segment"]
    return {each: names.get(each, label_of(each)) for each in measured}


def label_of(segment: str) -> str:
    """Return what a segment is called that has no profile (any more)."""
    return "No segment" if segment == UNASSIGNED else f"Segment {segment}"


def _placements(snapshot: Snapshot) -> tuple[str, ...]:
    if not snapshot.has(tables.ENGAGEMENT):
        return ()
    found = snapshot.rows(
        tables.ENGAGEMENT,
        "select placement from metrics.engagement_daily "
        "group by placement order by sum(impressions) desc, placement",
    )
    return tuple(found["placement"])


def _variants(snapshot: Snapshot) -> tuple[str, ...]:
    if not snapshot.has(tables.ENGAGEMENT_BY_VARIANT):
        return ()
    found = snapshot.rows(
        tables.ENGAGEMENT_BY_VARIANT,
        "select distinct variant from metrics.engagement_by_variant_daily order by variant",
    )
    return tuple(found["variant"])
