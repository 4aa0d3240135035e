"""The rules of the gate as a person chose them: what `gate.toml`, or a file in its place, says."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.text_file import read_text_file


@dataclass(frozen=True)
class GateRules:
    """What a challenger has to stand up to; see `gate.toml` for the meaning of each field.

    Attributes:
        level: of the interval against the champion, and of those of all segments together.
        margin: share of the champion's mean by which the interval may reach below it.
        largest_coverage_drop, largest_popularity_rise: shares of the champion's figure.
        smallest_segment: evaluated users.
        segment_margin: share of the champion's mean in the segment.
        fewest_impressions: how much the logs have to say of either model, in impressions of its own
            lists, before clicks are compared.
        smallest_click_coverage: how much of what either shows the logs have to cover for that.
        click_margin: share of the champion's click rate.
        oldest_champion: a champion that is older is warned of.
        refusals: so many refused trainings in a row are warned of.
    """

    level: float
    margin: float
    largest_coverage_drop: float
    largest_popularity_rise: float
    smallest_segment: int
    segment_margin: float
    fewest_impressions: int
    smallest_click_coverage: float
    click_margin: float
    oldest_champion: timedelta
    refusals: int


@dataclass(frozen=True)
class _Accepted:
    """What an entry may be: a number from `low` to `high`, without these two where it is open."""

    low: float
    high: float
    is_count: bool = False
    is_open: bool = False

    def takes(self, value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value)) or (self.is_count and value % 1):
            return False
        if self.is_open:
            return bool(self.low < value < self.high)
        return bool(self.low <= value <= self.high)

    def __str__(self) -> str:
        if self.is_count:
            return f"a whole number from {self.low:g} up"
        if self.is_open:
            return f"a number above {self.low:g} and below {self.high:g}"
        limit = "up" if math.isinf(self.high) else f"to {self.high:g}"
        return f"a number from {self.low:g} {limit}"


_SHARE: Final = _Accepted(0, 1)
_COUNT: Final = _Accepted(1, math.inf, is_count=True)
_TABLES: Final[Mapping[str, Mapping[str, _Accepted]]] = {
    "champion": {"level": _Accepted(0.5, 1, is_open=True), "margin": _SHARE},
    "coverage": {"largest_drop": _SHARE},
    "popularity_bias": {"largest_rise": _Accepted(0, math.inf)},
    "segments": {"smallest": _COUNT, "margin": _SHARE},
    "clicks": {"fewest_impressions": _COUNT, "smallest_coverage": _SHARE, "margin": _SHARE},
    "freshness": {"oldest_days": _Accepted(0, 36_500, is_open=True), "refusals": _COUNT},
}


@cache
def default_gate_rules() -> GateRules:
    """Return the rules that ship with the platform."""
    return parse_gate_rules("", origin="gate.toml")


def load_gate_rules(path: Path | None) -> GateRules:
    """Read and check the gate's rules of this installation.

    Args:
        path: of the user's file (`FEEDBACK_GATE_RULES`), or None for the rules that ship.

    Raises:
        InvalidInputError: the file cannot be read, or an entry is not one that the gate knows; the
            text names the file, the table, the key and what is accepted.
    """
    if path is None:
        return default_gate_rules()
    text = read_text_file(path, "The gate's rules", "FEEDBACK_GATE_RULES names a TOML file")
    return parse_gate_rules(text, origin=str(path))


def parse_gate_rules(text: str, *, origin: str) -> GateRules:
    """Read rules from TOML; an entry that it leaves out is as shipped.

    Args:
        text: the file's content.
        origin: its name, for the error.

    Raises:
        InvalidInputError: the text is not TOML, or an entry is not one that the gate knows.
    """
    shipped, chosen = _entries(_shipped(), "gate.toml"), _entries(text, origin)
    entry = {name: {**shipped[name], **chosen.get(name, {})} for name in _TABLES}
    return GateRules(
        level=float(entry["champion"]["level"]),
        margin=float(entry["champion"]["margin"]),
        largest_coverage_drop=float(entry["coverage"]["largest_drop"]),
        largest_popularity_rise=float(entry["popularity_bias"]["largest_rise"]),
        smallest_segment=int(entry["segments"]["smallest"]),
        segment_margin=float(entry["segments"]["margin"]),
        fewest_impressions=int(entry["clicks"]["fewest_impressions"]),
        smallest_click_coverage=float(entry["clicks"]["smallest_coverage"]),
        click_margin=float(entry["clicks"]["margin"]),
        oldest_champion=timedelta(days=entry["freshness"]["oldest_days"]),
        refusals=int(entry["freshness"]["refusals"]),
    )


def _entries(text: str, origin: str) -> dict[str, dict[str, float]]:
    """Return the entries of a file by table and key, each of them checked."""
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    _check_known(tables, _TABLES, origin)
    for name, table in tables.items():
        where = f"{origin}: [{name}]"
        if not isinstance(table, dict):
            raise InvalidInputError(f"{origin}: {name} is {table!r}; it accepts a table [{name}].")
        _check_known(table, _TABLES[name], where)
        for key, value in table.items():
            accepted = _TABLES[name][key]
            if not accepted.takes(value):
                raise InvalidInputError(f"{where} {key} is {value!r}; it accepts {accepted}.")
    return tables


def _check_known(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for name in table:
        if name not in known:
            close = get_close_matches(name, list(known), n=1)
            suggestion = f"; did you mean {close[0]!r}?" if close else "."
            raise InvalidInputError(
                f"{where} has an unknown key {name!r}{suggestion} It accepts {', '.join(known)}."
            )


@cache
def _shipped() -> str:
    return files("feedback_platform.learning").joinpath("gate.toml").read_text("utf-8")
