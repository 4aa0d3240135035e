"""The file of the cleaning rules, checked entry by entry: what it may say, and what was said.

An error names the file, the table, the key, what stands there and what is accepted.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES

SCALES: Final = ("linear", "log")
IMPUTATIONS: Final = ("none", "median", "mode")
OUTLIER_METHODS: Final = ("none", "iqr", "z_score", "mad")
TREATMENTS: Final = ("exclude", "cap")
NORMALISATIONS: Final = ("none", "min_max", "z_score")
ENCODED_FIELDS: Final = (c.DEVICE_TYPE, c.PLATFORM)
# Places that every encoding has, and the name under which the statistics of all devices lie.
RESERVED_CATEGORIES: Final = ("other", "unknown", "all")
DECLARED_BOT: Final = "declared"

_PARTS: Final = ("signals", "encodings", "bots")
_SIGNAL_KEYS: Final = ("event_type", "scale", "impute", "outliers", "normalise")


def read_rules_file(text: str, *, origin: str) -> dict[str, Any]:
    """Return the parts that a file has, as plain values.

    Args:
        text: the file's content.
        origin: its name, for the error.

    Returns:
        `signals`: a dict for each signal. `encodings`: (field, ((category, words), …)) pairs.
        `bots`: (rule, parts of a user agent) pairs. A part that the file leaves out is missing.

    Raises:
        InvalidInputError: the text is not TOML, or says something that cleaning does not know.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    _check_known(tables, _PARTS, origin)
    parts: dict[str, Any] = {}
    if "signals" in tables:
        signals = _table(tables["signals"], f"{origin}: signals", "[signals.view]").items()
        parts["signals"] = [_signal(name, table, origin) for name, table in signals]
        _check_distinct(parts["signals"], origin)
    if "encodings" in tables:
        parts["encodings"] = _encodings(tables["encodings"], origin)
    if "bots" in tables:
        bots = _table(tables["bots"], f"{origin}: bots", "[bots]").items()
        parts["bots"] = tuple((name, _agents(words, name, origin)) for name, words in bots)
    return parts


def _signal(name: str, entry: Any, origin: str) -> dict[str, Any]:
    where = f"{origin}: [signals.{name}]"
    table = _table(entry, where, '[signals.view] with event_type = "item_viewed"')
    _check_known(table, _SIGNAL_KEYS, where)
    event_type = _one_of(table.get("event_type"), tuple(EVENT_TYPES), f"{where} event_type")
    scale = _one_of(table.get("scale", "linear"), SCALES, f"{where} scale")
    minimum = _least(event_type)
    if scale == "log" and (minimum is None or minimum < 0):
        raise InvalidInputError(
            f"{where} scale is 'log', which needs values from 0 up; the contract promises none "
            f"for {event_type}. Use 'linear'."
        )
    return {
        "signal": name,
        "event_type": event_type,
        "scale": scale,
        "impute": _imputation(table.get("impute", "none"), event_type, f"{where} impute"),
        **_outliers(table.get("outliers", {}), f"{where} outliers"),
        **_normalisation(table.get("normalise", {}), scale, f"{where} normalise"),
    }


def _least(event_type: str) -> float | None:
    contract = EVENT_TYPES[event_type].value
    return None if contract is None else contract.minimum


def _imputation(value: Any, event_type: str, where: str) -> str | float:
    if not _is_number(value):
        if value not in IMPUTATIONS:
            accepted = ", ".join(IMPUTATIONS)
            raise InvalidInputError(f"{where} is {value!r}; it accepts {accepted}, or a number.")
        return str(value)
    contract = EVENT_TYPES[event_type].value
    low = -math.inf if contract is None or contract.minimum is None else contract.minimum
    high = math.inf if contract is None or contract.maximum is None else contract.maximum
    if not low <= value <= high:
        raise InvalidInputError(
            f"{where} is {value!r}; the contract accepts {low:g} to {high:g} for {event_type}."
        )
    return float(value)


def _outliers(entry: Any, where: str) -> dict[str, Any]:
    table = _table(entry, where, '{ method = "iqr", limit = 1.5 }')
    _check_known(table, ("method", "limit", "treatment"), where)
    method = _one_of(table.get("method", "none"), OUTLIER_METHODS, f"{where} method")
    limit = table.get("limit", 0.0)
    if method != "none" and not (_is_number(limit) and limit > 0):
        raise InvalidInputError(f"{where} limit is {limit!r}; it needs a number above 0.")
    if method == "none" and len(table) > ("method" in table):
        raise InvalidInputError(f"{where} has a limit or a treatment, but no method.")
    treatment = _one_of(table.get("treatment", "exclude"), TREATMENTS, f"{where} treatment")
    return {
        "outlier_method": method,
        "outlier_limit": float(limit),
        "outlier_treatment": treatment,
    }


def _normalisation(entry: Any, scale: str, where: str) -> dict[str, Any]:
    table = _table(entry, where, '{ method = "z_score" }')
    _check_known(table, ("method", "minimum", "maximum"), where)
    method = _one_of(table.get("method", "none"), NORMALISATIONS, f"{where} method")
    bounds = {name: table[name] for name in ("minimum", "maximum") if name in table}
    for name, bound in bounds.items():
        if not _is_number(bound):
            raise InvalidInputError(f"{where} {name} is {bound!r}; it accepts a number.")
    if bounds and method != "min_max":
        raise InvalidInputError(f"{where} has bounds, which only the method 'min_max' uses.")
    if len(bounds) == 1:
        raise InvalidInputError(f"{where} needs both minimum and maximum, or neither.")
    if bounds and not bounds["minimum"] < bounds["maximum"]:
        raise InvalidInputError(f"{where} minimum must be below maximum.")
    if bounds and scale == "log" and bounds["minimum"] < 0:
        raise InvalidInputError(f"{where} minimum must not be below 0 on the scale 'log'.")
    floats = {name: float(bound) for name, bound in bounds.items()}
    return {"normalisation": method, "minimum": None, "maximum": None, **floats}


def _check_distinct(signals: list[dict[str, Any]], origin: str) -> None:
    seen: dict[str, str] = {}
    for known in signals:
        event_type, name = known["event_type"], known["signal"]
        if event_type in seen:
            raise InvalidInputError(
                f"{origin}: [signals.{name}] has event_type {event_type!r}, as "
                f"[signals.{seen[event_type]}] has; an event carries one signal."
            )
        seen[event_type] = name


def _encodings(
    entry: Any, origin: str
) -> tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]:
    example = "[encodings.device_type]"
    tables = _table(entry, f"{origin}: encodings", example)
    _check_known(tables, ENCODED_FIELDS, f"{origin}: encodings")
    for field in ENCODED_FIELDS:
        if field not in tables:
            raise InvalidInputError(f"{origin} needs a table [encodings.{field}] beside the other.")
    return tuple(
        (field, _categories(tables[field], f"{origin}: [encodings.{field}]"))
        for field in ENCODED_FIELDS
    )


def _categories(entry: Any, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    categories = []
    meaning: dict[str, str] = {}
    for name, further in _table(entry, where, 'mobile = ["phone"]').items():
        if name in RESERVED_CATEGORIES or name != name.lower():
            raise InvalidInputError(
                f"{where} {name} cannot be a category: it accepts lower-case names other than "
                f"{', '.join(RESERVED_CATEGORIES)}."
            )
        words = tuple(dict.fromkeys([name, *_words(further, f"{where} {name}")]))
        for word in words:
            if word in meaning:
                raise InvalidInputError(
                    f"{where}: {word!r} means both {meaning[word]} and {name}; leave one out."
                )
            meaning[word] = name
        categories.append((name, words))
    return tuple(categories)


def _agents(entry: Any, name: str, origin: str) -> tuple[str, ...]:
    where = f"{origin}: [bots] {name}"
    if name == DECLARED_BOT:
        raise InvalidInputError(f"{where} is the name for events that say so themselves.")
    words = _words(entry, where)
    for word in words:
        # They are looked for in JSON, on every engine, so they are plain letters and marks.
        if not (word.isascii() and word.isprintable()) or '"' in word or "\\" in word:
            raise InvalidInputError(
                f"{where} has {word!r}; a part of a user agent is ASCII without quotes and "
                "backslashes."
            )
    return words


def _words(entry: Any, where: str) -> tuple[str, ...]:
    is_list = isinstance(entry, list) and all(isinstance(word, str) and word for word in entry)
    if not is_list:
        raise InvalidInputError(f'{where} is {entry!r}; it accepts a list such as ["one", "two"].')
    return tuple(word.lower() for word in entry)


def _table(value: Any, where: str, example: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"{where} is {value!r}; it accepts a table such as {example}.")
    return value


def _check_known(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for name in table:
        if name not in known:
            close = get_close_matches(name, list(known), n=1)
            suggestion = f"; did you mean {close[0]!r}?" if close else "."
            raise InvalidInputError(
                f"{where} has an unknown key {name!r}{suggestion} It accepts {', '.join(known)}."
            )


def _one_of(value: Any, accepted: tuple[str, ...], where: str) -> str:
    if value not in accepted:
        raise InvalidInputError(f"{where} is {value!r}; it accepts {', '.join(accepted)}.")
    return str(value)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
