"""What visitors choose by; it stands in the address, so that a view can be sent to others."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Final, Literal, cast

import streamlit as st

from feedback_platform.dashboard import formats
from feedback_platform.dashboard.choice import Choice, Period
from feedback_platform.dashboard.data.span import Choices

Filter = Literal["period", "segments", "placements", "variants"]
_OWN: Final = "From … to …"
_PERIODS: Final = {
    "Last 7 days": 7, "Last 28 days": 28, "Last 90 days": 90, "All days": None, _OWN: None,
}  # fmt: skip
_DEFAULT: Final = "Last 28 days"


def choose(choices: Choices, whole: Period, filters: Collection[Filter]) -> Choice:
    """Show the filters that a page obeys, and return what is chosen.

    Args:
        choices: what there is.
        whole: the days for which there is anything.
        filters: those of the page; others are not shown, for they would do nothing.
    """
    with st.sidebar:
        period = _period(whole) if "period" in filters else whole
        return Choice(
            period,
            segments=_some("Segments", "segments", choices.segments, filters),
            placements=_some(
                "Placements", "placements", {each: each for each in choices.placements}, filters
            ),
            variants=_some(
                "Variants", "variants", {each: each for each in choices.variants}, filters
            ),
        )


def told(choice: Choice, choices: Choices, filters: Collection[Filter]) -> str:
    """Return in words what is chosen; on a phone the filters are folded away."""
    if "period" not in filters:
        return ""
    period = choice.period
    parts = [f"{formats.day(period.first)} to {formats.day(period.last)}"]
    for name, chosen, everything in (
        ("segments", [choices.segments.get(each, each) for each in choice.segments],
         "all segments"),
        ("placements", choice.placements, "all placements"),
        ("variants", choice.variants, "all variants"),
    ):  # fmt: skip
        if name in filters:
            parts.append(", ".join(chosen) if chosen else everything)
    return "  ·  ".join(parts)


def _period(whole: Period) -> Period:
    name = st.selectbox(
        "Period",
        list(_PERIODS),
        index=list(_PERIODS).index(_DEFAULT),
        key="period",
        bind="query-params",
        help="It ends with the newest day that is published. Days are UTC.",
    )
    if name == _OWN:
        return _own(whole)
    days = _PERIODS[name or _DEFAULT]
    return whole if days is None else whole.newest(days)


def _own(whole: Period) -> Period:
    default = whole.newest(28)
    chosen = cast(
        "tuple[date, ...]",
        st.date_input(
            "Days",
            (default.first, default.last),
            min_value=whole.first,
            max_value=whole.last,
            format="YYYY-MM-DD",
            key="days",
            persist_state="session",
        ),
    )
    # While the second day is not chosen yet, there is one.
    return Period(chosen[0], chosen[-1]) if chosen else default


def _some(
    title: str, name: Filter, options: dict[str, str], filters: Collection[Filter]
) -> tuple[str, ...]:
    if name not in filters or not options:
        return ()

    def shown(option: Any) -> str:
        return options.get(option, str(option))

    chosen = st.multiselect(
        title,
        list(options),
        format_func=shown,
        key=name,
        placeholder="All",
        persist_state="session",
    )
    return tuple(chosen)
