"""What one metric is, and how its values in several processes become one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from feedback_platform.ingestion.collector.distribution import Distribution

# Values by the values of their labels, in the order of the labels. A label never has what a client
# sent as its value: whoever sends a million different ones must not make a million series.
Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = Mapping[Any, float | Distribution]


class Merge(StrEnum):
    """How gauges of several processes become one."""

    SUM = "sum"
    LEAST = "min"
    # Each process has its own, told apart by the label `worker`.
    EACH = "each"


@dataclass(frozen=True)
class Metric:
    """One metric of a process, and what reads its present values.

    Attributes:
        name: by the conventions of Prometheus, without `_total`.
        description: one sentence.
        read: returns the values; what has none at present returns nothing.
        labels: their names.
        bounds: of a histogram's buckets; None for other kinds.
        merge: of a gauge; None for what only grows, which is summed up, also over restarts.
    """

    name: str
    description: str
    read: Callable[[], Values]
    labels: Labels = ()
    bounds: tuple[float, ...] | None = None
    merge: Merge | None = None


def gauge(
    name: str,
    description: str,
    read: Callable[[], float | None],
    merge: Merge = Merge.SUM,
) -> Metric:
    """Return a gauge of one value, which may be missing at times."""

    def values() -> Mapping[Labels, float]:
        value = read()
        return {} if value is None else {(): value}

    return Metric(name, description, values, merge=merge)


def counter(name: str, description: str, read: Callable[[], float]) -> Metric:
    """Return a counter without labels."""
    return Metric(name, description, lambda: {(): read()})


def histogram(name: str, description: str, read: Distribution) -> Metric:
    """Return a histogram without labels."""
    return Metric(name, description, lambda: {(): read}, bounds=read.bounds)
