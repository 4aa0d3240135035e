"""How numbers, times and strange texts are written, everywhere the same."""

from __future__ import annotations

import re
from datetime import date, datetime
from html import escape
from typing import Final

NOTHING: Final = "–"  # noqa: RUF001 - a dash stands for no value
# The same in charts, by the rules of d3-format.
PERCENT: Final = ".1%"
WHOLE: Final = ",.0f"
_MINUS: Final = "\N{MINUS SIGN}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def whole(value: float | None) -> str:
    """Return a number without decimals: 12,345."""
    return NOTHING if value is None else f"{value:,.0f}".replace("-", _MINUS)


def decimal(value: float | None, places: int = 2) -> str:
    """Return a number with so many decimals: 1,234.50."""
    return NOTHING if value is None else f"{value:,.{places}f}".replace("-", _MINUS)


def percent(share: float | None, places: int = 1) -> str:
    """Return a share as a percentage: 12.3 %."""
    return NOTHING if share is None else f"{decimal(100 * share, places)} %"


def signed(value: float | None, places: int = 1) -> str:
    """Return a difference with its sign: +1.2."""
    return NOTHING if value is None else f"{value:+,.{places}f}".replace("-", _MINUS)


def between(low: float | None, high: float | None, *, of_shares: bool = False) -> str:
    """Return an interval: 11.8 to 12.9; of shares as percentages; nothing where there is none."""
    if low is None or high is None:
        return ""
    if of_shares:
        return f"{decimal(100 * low, 1)} to {percent(high)}"
    return f"{decimal(low, 1)} to {decimal(high, 1)}"


def day(value: date | None) -> str:
    """Return a day: 25 Nov 2026."""
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


def moment(value: datetime | None) -> str:
    """Return a time in UTC, to the minute: 25 Nov 2026, 14:03."""
    return NOTHING if value is None else f"{day(value)}, {value:%H:%M}"


def lasting(seconds: float | None) -> str:
    """Return a stretch of time in its largest unit but one: 45 s, 3 min, 5 h 10 min, 2 d 4 h."""
    if seconds is None:
        return NOTHING
    length = round(abs(seconds))
    if length < _MINUTE:
        text = f"{length} s"
    elif length < _HOUR:
        text = f"{length // _MINUTE} min"
        if length < 10 * _MINUTE and length % _MINUTE:
            text += f" {length % _MINUTE} s"
    elif length < 2 * _DAY:
        text = f"{length // _HOUR} h" + _rest(length % _HOUR // _MINUTE, "min")
    else:
        text = f"{length // _DAY} d" + _rest(length % _DAY // _HOUR, "h")
    return f"{_MINUS}{text}" if seconds < 0 and length else text


def sentence(name: str) -> str:
    """Return a name of the tables as words: `session_seconds` becomes Session seconds."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def safe(text: str) -> str:
    """Return the HTML of a text that anybody may have written; code between backticks stays code.

    Names of items, segments and experiments come from outside, so nothing of them is Markdown.
    """
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _rest(number: int, unit: str) -> str:
    return f" {number} {unit}" if number else ""
