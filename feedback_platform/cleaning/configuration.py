"""The cleaning rules as a person wrote them, read from `signals.toml` and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.events.contract import EVENT_TYPES

SCALES: Final = ("linear", "log")
IMPUTATIONS: Final = ("none", "median", "mode")
OUTLIER_METHODS: Final = ("none", "iqr", "z_score")
NORMALISATIONS: Final = ("none", "min_max", "z_score")

# Devices are reported in many words; statistics and one-hot features know these. What was not said
# and what is not known each have a place of their own.
DEVICE_CATEGORIES: Final = ("desktop", "mobile", "tablet")
DEVICE_OTHER: Final = "other"
DEVICE_UNKNOWN: Final = "unknown"
ALL_DEVICE_CATEGORIES: Final = (*DEVICE_CATEGORIES, DEVICE_OTHER, DEVICE_UNKNOWN)


@dataclass(frozen=True)
class SignalRules:
    """What cleaning does to one signal; see `signals.toml` for the meaning of each field.

    Attributes:
        impute: a method, or the constant itself.
        outlier_limit: interquartile ranges or standard deviations; 0 when there is no method.
        minimum, maximum: bounds of min-max normalisation, None to take the reference's.
    """

    signal: str
    event_type: str
    scale: str = "linear"
    impute: str | float = "none"
    outlier_method: str = "none"
    outlier_limit: float = 0.0
    normalisation: str = "none"
    minimum: float | None = None
    maximum: float | None = None

    @property
    def needs_reference(self) -> bool:
        """Whether any of the rules applies fitted statistics."""
        has_bounds = self.minimum is not None and self.maximum is not None
        return (
            self.impute in {"median", "mode"}
            or self.outlier_method != "none"
            or self.normalisation == "z_score"
            or (self.normalisation == "min_max" and not has_bounds)
        )


@cache
def default_rules() -> tuple[SignalRules, ...]:
    """Return the rules that ship with the platform."""
    text = files("feedback_platform.cleaning").joinpath("signals.toml").read_text("utf-8")
    return parse_rules(text, origin="signals.toml")


def parse_rules(text: str, *, origin: str) -> tuple[SignalRules, ...]:
    """Read rules from TOML.

    Args:
        text: the file's content.
        origin: its name, for the error.

    Raises:
        InvalidInputError: the text is not TOML, or a rule is not one that cleaning knows.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    rules = tuple(_rules_of(signal, table, origin) for signal, table in tables.items())
    event_types = [rule.event_type for rule in rules]
    for event_type in event_types:
        if event_types.count(event_type) > 1:
            raise InvalidInputError(f"{origin}: more than one signal has event_type {event_type!r}")
    return rules


def _rules_of(signal: str, table: dict[str, Any], origin: str) -> SignalRules:
    where = f"{origin}: [{signal}]"
    known = {"event_type", "scale", "impute", "outliers", "normalise"}
    if unknown := sorted(set(table) - known):
        raise InvalidInputError(f"{where} has unknown settings: {', '.join(unknown)}")
    outliers = table.get("outliers", {"method": "none"})
    normalise = table.get("normalise", {"method": "none"})
    impute = table.get("impute", "none")
    rules = SignalRules(
        signal=signal,
        event_type=_one_of(table.get("event_type"), tuple(EVENT_TYPES), f"{where} event_type"),
        scale=_one_of(table.get("scale", "linear"), SCALES, f"{where} scale"),
        impute=float(impute)
        if isinstance(impute, (int, float))
        else _one_of(impute, IMPUTATIONS, f"{where} impute"),
        outlier_method=_one_of(outliers.get("method"), OUTLIER_METHODS, f"{where} outliers"),
        outlier_limit=float(outliers.get("limit", 0.0)),
        normalisation=_one_of(normalise.get("method"), NORMALISATIONS, f"{where} normalise"),
        minimum=normalise.get("minimum"),
        maximum=normalise.get("maximum"),
    )
    if rules.outlier_method != "none" and rules.outlier_limit <= 0:
        raise InvalidInputError(f"{where} outliers needs a limit above 0")
    if (rules.minimum is None) != (rules.maximum is None):
        raise InvalidInputError(f"{where} normalise needs both minimum and maximum, or neither")
    return rules


def _one_of(value: Any, accepted: tuple[str, ...], where: str) -> str:
    if value not in accepted:
        raise InvalidInputError(f"{where} is {value!r}; it accepts {', '.join(accepted)}")
    return str(value)
