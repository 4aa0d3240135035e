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
from typing import Any

import polars as pl

from feedback_platform.cleaning.configuration import (
    OTHER,
    UNKNOWN,
    CleaningRules,
    Encoding,
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
ALL_DEVICES = "all"
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SignalStatistics:
    """Statistics of one signal's values on one device, on the signal's scale.

    With scale `log` every figure but `count` is of ln(1 + value).

    Attributes:
        device: a category, or `all`.
        low, high: the 1st and the 99th percentile.
        median_deviation: the median absolute deviation from the median. Like the three that follow
            it is missing in versions from before it was fitted; those have logarithms only.
        minimum, maximum: the smallest and the largest value.
        scale: of the figures; a rule on another scale does not use them.
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
    median_deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    scale: str = "log"


@dataclass(frozen=True)
class Reference:
    """One fitted version.

    Attributes:
        version: its name, which every row cleaned with it carries.
        effective_from: UTC hour from which received objects use it.
        rows: how many events it was fitted on.
        statistics: one entry per signal for all devices and for each that has values enough; a
            signal with too few values has none.
        window_from, window_to: when the first and the last of those events were received, UTC;
            None without any, and in versions from before it was recorded.
    """

    version: str
    effective_from: datetime
    rows: int
    statistics: tuple[SignalStatistics, ...]
    window_from: datetime | None = None
    window_to: datetime | None = None

    def statistics_of(self, rule: SignalRules, device: str) -> SignalStatistics | None:
        """Return what a rule applies to a device: its own figures, else those of all devices."""
        fitting = {
            entry.device: entry
            for entry in self.statistics
            if entry.signal == rule.signal and entry.scale == rule.scale
        }
        return fitting.get(device) or fitting.get(ALL_DEVICES)


def fit_reference(
    events: pl.DataFrame, rules: CleaningRules, *, effective_from: datetime
) -> Reference:
    """Fit the statistics of every signal that has values, whatever its rules apply of them today.

    Args:
        events: columns event_type, device_type, value, received_at; as received, not imputed.
        rules: what the signals are, and the categories of devices.
        effective_from: the UTC hour from which the version counts.
    """
    statistics = tuple(
        entry for rule in rules.signals for entry in _fit_signal(events, rule, rules.devices)
    )
    received = pl.col(c.RECEIVED_AT)
    window: tuple[datetime | None, datetime | None] = events.select(
        received.min().alias("from"), received.max().alias("to")
    ).row(0)
    content = json.dumps([asdict(entry) for entry in statistics], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    # Not strftime: it writes the year 1 without its zeros on some platforms.
    stamp = effective_from.isoformat().partition("+")[0].replace("-", "").replace(":", "")
    return Reference(f"{stamp}-{digest}", effective_from, events.height, statistics, *window)


def _category(encoding: Encoding) -> pl.Expr:
    """Return the category of each row, for fitting; the rules have their own engine."""
    name = pl.col(encoding.field).str.to_lowercase()
    words = {word: category for category, known in encoding.categories for word in known}
    known = name.replace_strict(words, default=OTHER, return_dtype=pl.String)
    return pl.when(name.is_null()).then(pl.lit(UNKNOWN)).otherwise(known)


def _fit_signal(
    events: pl.DataFrame, rule: SignalRules, devices: Encoding
) -> list[SignalStatistics]:
    value = pl.col(c.VALUE)
    kind = EVENT_TYPES[rule.event_type].value
    in_contract = value.is_not_null()
    if kind is not None and kind.minimum is not None:
        in_contract &= value >= kind.minimum
    if kind is not None and kind.maximum is not None:
        in_contract &= value <= kind.maximum
    measured = events.lazy().filter(pl.col(c.EVENT_TYPE) == rule.event_type, in_contract)
    scaled = measured.select(
        _category(devices).alias("device"),
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
        (x - x.median()).abs().median().alias("median_deviation"),
        x.min().alias("minimum"),
        x.max().alias("maximum"),
    ]
    overall = scaled.select(aggregates).collect().to_dicts()
    by_device = scaled.group_by("device").agg(aggregates).sort("device").collect().to_dicts()
    return [
        SignalStatistics(rule.signal, row.pop("device", ALL_DEVICES), **row, scale=rule.scale)
        for row in [*overall, *by_device]
        if row["count"] >= MINIMUM_SAMPLE
    ]


def save_reference(lake: Lake, reference: Reference) -> None:
    """Store a version."""
    key = f"{keys.REFERENCE}/{reference.version}.json"
    content = json.dumps(asdict(reference), indent=1, default=datetime.isoformat)
    lake.put(key, content.encode(), mode="overwrite")


def load_references(lake: Lake) -> list[Reference]:
    """Return all versions, oldest first; those of earlier releases lack what was not fitted then.

    Raises:
        InvalidInputError: a stored version cannot be read.
    """
    references = []
    for key in lake.list_keys(keys.REFERENCE):
        try:
            references.append(_loaded(json.loads(lake.get(key))))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInputError(
                f"The reference {key} is damaged, or of a later release: {error!r}"
            ) from error
    return sorted(references, key=lambda reference: (reference.effective_from, reference.version))


def _loaded(content: dict[str, Any]) -> Reference:
    window = (content.get("window_from"), content.get("window_to"))
    first, last = (datetime.fromisoformat(at) if at else None for at in window)
    return Reference(
        version=content["version"],
        effective_from=datetime.fromisoformat(content["effective_from"]),
        rows=content["rows"],
        statistics=tuple(SignalStatistics(**entry) for entry in content["statistics"]),
        window_from=first,
        window_to=last,
    )


def reference_for(references: list[Reference], hour: datetime) -> Reference:
    """Return the version in effect for a raw object received in an hour.

    Args:
        references: all versions, oldest first; at least one.
        hour: the object's hour, UTC.
    """
    in_effect = [reference for reference in references if reference.effective_from <= hour]
    return in_effect[-1] if in_effect else references[0]
