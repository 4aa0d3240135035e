"""Whether the weights and rules of the feedback score make sense, checked before they are used.

They are two seeds of the dbt project: `signal_weights.csv`, what each signal says and how much it
is believed, and `score_rules.csv`, every other constant.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedback_platform.errors import InvalidInputError, InvalidSettingError

WEIGHTS_FILE: Final = "signal_weights.csv"
RULES_FILE: Final = "score_rules.csv"
FEEDBACK_TYPES: Final = ("explicit", "implicit")
# The scores are computed to so many digits: what lies nearer to a bound than that lies on it.
_DIGITS: Final = 9
# Nobody knows a weight better than that.
_SHOWN_DIGITS: Final = 3


@dataclass(frozen=True)
class _Range:
    """Numbers from `low` to `high`; an open end is not among them."""

    low: float
    high: float
    is_low_open: bool = False
    is_high_open: bool = False

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"a number {'above' if self.is_low_open else 'of at least'} {self.low:g}"
        low = "above" if self.is_low_open else "from"
        high = "to below" if self.is_high_open else "to"
        return f"a number {low} {self.low:g} {high} {self.high:g}"

    def holds(self, number: float) -> bool:
        is_above = number > self.low if self.is_low_open else number >= self.low
        is_below = number < self.high if self.is_high_open else number <= self.high
        return is_above and is_below


_SHARE: Final = _Range(0, 1)
# Belief is 1 - prod(1 - weight): a weight of one would be proof, and nothing could outweigh it.
_CONFIDENCE: Final = _Range(0, 1, is_high_open=True)
_COUNT: Final = _Range(1, math.inf, is_high_open=True)

_RULES: Final[Mapping[str, _Range]] = {
    "half_life_days": _Range(0, math.inf, is_low_open=True, is_high_open=True),
    "neutral_value": _SHARE,
    "imputed_confidence": _SHARE,
    "brief_view": _SHARE,
    "conflict_distance": _Range(0, 1, is_low_open=True),
    "conflict_implicit_share": _SHARE,
    "conflict_confidence": _SHARE,
    "bounce_confidence": _SHARE,
    "fan_score": _SHARE,
    "inferred_minimum_overlap": _COUNT,
    "inferred_full_overlap": _COUNT,
    "inferred_neighbours": _COUNT,
    "inferred_minimum_neighbours": _COUNT,
    "inferred_ratings_read": _COUNT,
}


def check_score_settings(seeds_dir: Path) -> None:
    """Check both files.

    Args:
        seeds_dir: where they lie.

    Raises:
        InvalidSettingError: a value makes no sense, or a rule is missing, unknown or there twice;
            the text names the file and the row.
    """
    check_weights(seeds_dir / WEIGHTS_FILE)
    _check_rules(seeds_dir / RULES_FILE)


def signal_names(seeds_dir: Path) -> list[str]:
    """Return the kinds of feedback that count: those that a weight says so of.

    Args:
        seeds_dir: where the files lie.
    """
    return sorted(name for name, _ in _rows(seeds_dir / WEIGHTS_FILE, "signal") if name)


def weights_with_confidence(seeds_dir: Path, changes: Mapping[str, tuple[float, float]]) -> str:
    """Return the file of the weights with other confidences, and nothing else changed.

    Args:
        seeds_dir: where the files lie.
        changes: of each signal, the confidence that was to be changed, and to what.

    Raises:
        InvalidInputError: a weight is another one by now than that which was to be changed.
    """
    with (seeds_dir / WEIGHTS_FILE).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or []), list(reader)
    for row in rows:
        before, after = changes.get(row["signal"], (None, None))
        if before is None or after is None:
            continue
        if not math.isclose(float(row["confidence"]), before, abs_tol=10**-_DIGITS):
            raise InvalidInputError(
                f"The weight of {row['signal']} is {row['confidence']} by now, and was {before:g} "
                "when the signals were measured. Run `feedback-platform train`, and propose again."
            )
        row["confidence"] = str(round(after, _SHOWN_DIGITS))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def check_weights(path: Path) -> None:
    """Check a file of weights, as `check_score_settings` does.

    Raises:
        InvalidSettingError: a value makes no sense.
    """
    seen: set[str] = set()
    for signal, row in _rows(path, "signal"):
        _check_new(path, "signal", signal, seen)
        kind = row.get("feedback_type") or ""
        if kind not in FEEDBACK_TYPES:
            raise InvalidSettingError(
                _place(path, "feedback_type", signal), kind, " or ".join(FEEDBACK_TYPES)
            )
        low = _number(path, signal, row, "score_low", _SHARE)
        _number(path, signal, row, "score_high", _Range(low, 1))
        _number(path, signal, row, "confidence", _CONFIDENCE)


def _check_rules(path: Path) -> None:
    seen: set[str] = set()
    for name, row in _rows(path, "rule"):
        _check_new(path, "rule", name, seen)
        if name not in _RULES:
            raise InvalidSettingError(f"A rule in {path.name}", name, ", ".join(_RULES))
        _number(path, name, row, "value", _RULES[name])
    missing = [name for name in _RULES if name not in seen]
    if missing:
        raise InvalidSettingError(
            _place(path, "value", missing[0]), "", f"{_RULES[missing[0]]}: add the row"
        )


def _rows(path: Path, key: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row.get(key) or "", row


def _check_new(path: Path, key: str, name: str, seen: set[str]) -> None:
    if not name or name in seen:
        raise InvalidSettingError(f"A {key} in {path.name}", name, "each name once")
    seen.add(name)


def _number(
    path: Path, name: str, row: Mapping[str, str | None], column: str, accepts: _Range
) -> float:
    text = row.get(column) or ""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not accepts.holds(round(number, _DIGITS)):
        raise InvalidSettingError(_place(path, column, name), text, str(accepts))
    return number


def _place(path: Path, column: str, name: str) -> str:
    return f"The {column} of {name} in {path.name}"
