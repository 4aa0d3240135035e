"""Reference statistics: what is usual for a signal on a device. Fitted apart, applied everywhere.

A version takes effect at an hour: raw objects received from then on are cleaned with it. Older ones
keep the version they had, so a refit never rewrites history, and cleaning the same object again
gives the same rows. The first version is in effect for all time before it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import polars as pl

from feedback_platform.cleaning.configuration import (
    ALL_DEVICE_CATEGORIES,
    DEVICE_CATEGORIES,
    DEVICE_OTHER,
    DEVICE_UNKNOWN,
    SignalRules,
)
from feedback_platform.errors import InvalidInputError
from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

# Below this many values a statistic says little: a device falls back to all devices together, and
# a signal to no statistics at all.
MINIMUM_SAMPLE = 30
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SignalStatistics:
    """Statistics of one signal's values on one device, on the signal's scale.

    With scale `log` every figure but `count` is of ln(1 + value).
    """

    signal: str
    device: str
    count: int
    median: float
    mode: float
    lower_quartile: float
    upper_quartile: float
    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class Reference:
    """One fitted version.

    Attributes:
        version: its name, which every row cleaned with it carries.
        effective_from: UTC hour from which received objects use it.
        rows: how many events it was fitted on.
        statistics: one entry per signal and device category; a signal with too few values has none.
    """

    version: str
    effective_from: datetime
    rows: int
    statistics: tuple[SignalStatistics, ...]


def fit_reference(
    events: pl.DataFrame, rules: tuple[SignalRules, ...], *, effective_from: datetime
) -> Reference:
    """Fit the statistics that the rules need.

    Args:
        events: columns event_type, device_type, value; as received, not imputed.
        rules: what will be applied.
        effective_from: the UTC hour from which the version counts.
    """
    statistics = tuple(
        entry for rule in rules if rule.needs_reference for entry in _fit_signal(events, rule)
    )
    content = json.dumps([asdict(entry) for entry in statistics], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    # Not strftime: it writes the year 1 without its zeros on some platforms.
    stamp = effective_from.isoformat().partition("+")[0].replace("-", "").replace(":", "")
    return Reference(f"{stamp}-{digest}", effective_from, events.height, statistics)


def device_category(column: pl.Expr) -> pl.Expr:
    """Return the device category of a device name, for fitting; the rules have their own engine."""
    name = column.str.to_lowercase()
    return (
        pl.when(name.is_null())
        .then(pl.lit(DEVICE_UNKNOWN))
        .when(name.is_in(DEVICE_CATEGORIES))
        .then(name)
        .otherwise(pl.lit(DEVICE_OTHER))
    )


def _fit_signal(events: pl.DataFrame, rule: SignalRules) -> list[SignalStatistics]:
    value = pl.col(c.VALUE)
    kind = EVENT_TYPES[rule.event_type].value
    in_contract = value.is_not_null()
    if kind is not None and kind.minimum is not None:
        in_contract &= value >= kind.minimum
    if kind is not None and kind.maximum is not None:
        in_contract &= value <= kind.maximum
    measured = events.lazy().filter(pl.col(c.EVENT_TYPE) == rule.event_type, in_contract)
    scaled = measured.select(
        device_category(pl.col(c.DEVICE_TYPE)).alias("device"),
        (value.log1p() if rule.scale == "log" else value).alias("x"),
    )
    x = pl.col("x")
    aggregates = [
        pl.len().alias("count"),
        x.median().alias("median"),
        x.mode().min().alias("mode"),
        x.quantile(0.25, "linear").alias("lower_quartile"),
        x.quantile(0.75, "linear").alias("upper_quartile"),
        x.mean().alias("mean"),
        x.std().fill_null(0.0).alias("deviation"),
        x.quantile(0.01, "linear").alias("low"),
        x.quantile(0.99, "linear").alias("high"),
    ]
    overall = scaled.select(aggregates).collect().row(0, named=True)
    if overall["count"] < MINIMUM_SAMPLE:
        return []
    by_device = {
        row.pop("device"): row
        for row in scaled.group_by("device").agg(aggregates).collect().to_dicts()
        if row["count"] >= MINIMUM_SAMPLE
    }
    return [
        SignalStatistics(rule.signal, device, **by_device.get(device, overall))
        for device in ALL_DEVICE_CATEGORIES
    ]


def save_reference(lake: Lake, reference: Reference) -> None:
    """Store a version."""
    content = asdict(reference) | {"effective_from": reference.effective_from.isoformat()}
    key = f"{keys.REFERENCE}/{reference.version}.json"
    lake.put(key, json.dumps(content, indent=1).encode(), mode="overwrite")


def load_references(lake: Lake) -> list[Reference]:
    """Return all versions, oldest first.

    Raises:
        InvalidInputError: a stored version cannot be read.
    """
    references = []
    for key in lake.list_keys(keys.REFERENCE):
        try:
            content = json.loads(lake.get(key))
            references.append(
                Reference(
                    version=content["version"],
                    effective_from=datetime.fromisoformat(content["effective_from"]),
                    rows=content["rows"],
                    statistics=tuple(SignalStatistics(**s) for s in content["statistics"]),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(f"The reference {key} is damaged: {error!r}") from error
    return sorted(references, key=lambda reference: (reference.effective_from, reference.version))


def reference_for(references: list[Reference], hour: datetime) -> Reference:
    """Return the version in effect for a raw object received in an hour.

    Args:
        references: all versions, oldest first; at least one.
        hour: the object's hour, UTC.
    """
    in_effect = [reference for reference in references if reference.effective_from <= hour]
    return in_effect[-1] if in_effect else references[0]
