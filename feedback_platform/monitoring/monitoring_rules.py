"""What follows from what monitoring finds: `monitoring.toml`, or a file in its place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.monitoring.drift import RECORDED, DriftEvent
from feedback_platform.text_file import read_text_file
from feedback_platform.toml_entries import Entries

# The prefix of the streams that are features, in the table of drift events.
FEATURE: Final = "feature"
_BETWEEN: Final = ", "


class Consequence(StrEnum):
    """What a change may lead to."""

    RETRAIN = "retrain"
    FREEZE_PROMOTION = "freeze_promotion"
    ALERT = "alert"


@dataclass(frozen=True)
class DriftRule:
    """What follows from a change of a stream.

    Attributes:
        consequences: in the order in which they were written.
        smallest_change: by less than this share of the mean before, a change is recorded only.
    """

    consequences: tuple[Consequence, ...]
    smallest_change: float


@dataclass(frozen=True)
class FeatureRules:
    """When features have drifted; see `monitoring.toml` for the meaning of each field."""

    consequences: tuple[Consequence, ...]
    every: timedelta
    looks: int
    level: float
    smallest_ks: float
    smallest_psi: float
    smallest_sample: int


@dataclass(frozen=True)
class AlertRules:
    """When somebody is told; see `monitoring.toml` for the meaning of each field."""

    quarantine_share: float
    quarantine_events: int
    behind: timedelta
    silence: timedelta
    drift_stands: timedelta
    sample_ratio: float


@dataclass(frozen=True)
class MonitoringRules:
    """All that an installation says about it.

    Attributes:
        drift: by stream, without the model version where it has one.
        features: of all features.
        freeze_lasts: for how long a change that freezes keeps models from being promoted.
        alerts: when somebody is told.
    """

    drift: Mapping[str, DriftRule]
    features: FeatureRules
    freeze_lasts: timedelta
    alerts: AlertRules

    def action(self, event: DriftEvent) -> str:
        """Return what follows from a change, as the table of drift events has it."""
        kind = event.stream.partition(":")[0]
        if kind == FEATURE:
            return written(self.features.consequences)
        rule = self.drift[kind]
        change = abs(event.after_mean - event.before_mean)
        is_large = change >= rule.smallest_change * abs(event.before_mean)
        return written(rule.consequences if is_large else ())


def written(consequences: tuple[Consequence, ...]) -> str:
    """Return consequences as one text."""
    return _BETWEEN.join(consequences) or RECORDED


def has_consequence(action: str, consequence: Consequence) -> bool:
    """Return whether a consequence is among those of a text."""
    return consequence in action.split(_BETWEEN)


def load_monitoring_rules(path: Path | None) -> MonitoringRules:
    """Read and check the rules of this installation.

    Args:
        path: of the user's file (`FEEDBACK_MONITORING_RULES`), or None for the rules that ship.

    Raises:
        InvalidInputError: the file cannot be read, or an entry is not one that monitoring knows;
            the text names the file, the table, the key and what is accepted.
    """
    if path is None:
        return default_monitoring_rules()
    told = "FEEDBACK_MONITORING_RULES names a TOML file"
    return parse_monitoring_rules(
        read_text_file(path, "The monitoring rules", told), origin=str(path)
    )


@cache
def default_monitoring_rules() -> MonitoringRules:
    """Return the rules that ship with the platform."""
    return parse_monitoring_rules("", origin="monitoring.toml")


def parse_monitoring_rules(text: str, *, origin: str) -> MonitoringRules:
    """Read rules from TOML; an entry that it leaves out is as shipped.

    Args:
        text: the file's content.
        origin: its name, for the error.

    Raises:
        InvalidInputError: see `load_monitoring_rules`.
    """
    shipped = tomllib.loads(_shipped())
    try:
        chosen = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    Entries(chosen, origin, tuple(shipped))
    drift = _over(chosen, "drift", shipped["drift"], origin)
    streams = {
        name: _over(drift, name, table, f"{origin}: drift")
        for name, table in shipped["drift"].items()
    }
    tables = {
        name: _over(chosen, name, shipped[name], origin)
        for name in ("features", "freeze", "alerts")
    }
    return MonitoringRules(
        drift={
            name: _drift(_entries(table, f"{origin}: [drift.{name}]"))
            for name, table in streams.items()
        },
        features=_features(_entries(tables["features"], f"{origin}: [features]")),
        freeze_lasts=_entries(tables["freeze"], f"{origin}: [freeze]").duration("lasts"),
        alerts=_alerts(_entries(tables["alerts"], f"{origin}: [alerts]")),
    )


def _over(tables: Mapping[str, Any], name: str, shipped: Mapping[str, Any], where: str) -> Any:
    """Return a table with what it leaves out taken from the one that ships."""
    chosen = tables.get(name, {})
    Entries(chosen, f"{where}: [{name}]", tuple(shipped))
    return {**shipped, **chosen}


def _entries(table: Mapping[str, Any], where: str) -> Entries:
    return Entries(table, where, tuple(table))


def _drift(entries: Entries) -> DriftRule:
    return DriftRule(_consequences(entries), entries.number("smallest_change", 0, 1))


def _features(entries: Entries) -> FeatureRules:
    return FeatureRules(
        consequences=_consequences(entries),
        every=entries.duration("every"),
        looks=entries.count("looks", 1),
        level=entries.number("level", 0, 0.5, is_open=True),
        smallest_ks=entries.number("smallest_ks", 0, 1),
        smallest_psi=entries.number("smallest_psi", 0, 100),
        smallest_sample=entries.count("smallest_sample", 100),
    )


def _alerts(entries: Entries) -> AlertRules:
    return AlertRules(
        quarantine_share=entries.number("quarantine_share", 0, 1, is_open=True),
        quarantine_events=entries.count("quarantine_events", 1),
        behind=entries.duration("behind"),
        silence=entries.duration("silence"),
        drift_stands=entries.duration("drift_stands"),
        sample_ratio=entries.number("sample_ratio", 0, 0.5, is_open=True),
    )


def _consequences(entries: Entries) -> tuple[Consequence, ...]:
    listed = entries.value("consequences")
    known = list(Consequence)
    if not isinstance(listed, list) or any(each not in known for each in listed):
        raise entries.refused("consequences", f"a list of any of {', '.join(known)}")
    return tuple(Consequence(each) for each in dict.fromkeys(listed))


@cache
def _shipped() -> str:
    return files("feedback_platform.monitoring").joinpath("monitoring.toml").read_text("utf-8")
