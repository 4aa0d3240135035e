"""One look for everything: colours that the colour-blind tell apart, in light and in dark.

The series colours are those of Okabe and Ito (2008, "Color Universal Design"), darkened or
lightened until each has a contrast of 3 to 1 at least with its background (WCAG 2.2, 1.4.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import altair as alt

# What Streamlit brings, and serves itself.
FONT: Final = '"Source Sans", sans-serif'


@dataclass(frozen=True)
class Look:
    """The colours on one background.

    Attributes:
        background, surface: of the page; of cards on it.
        ink, muted, grid: text; what stands beside it; lines behind everything.
        series: of lines and bars, in the order in which they are used.
        good, bad, warning: what went well, went wrong, or is to be looked at.
        cold, neutral, hot: less than usual, as usual, more than usual.
        faint, strong: little and much of something.
    """

    background: str
    surface: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, ...]
    good: str
    bad: str
    warning: str
    cold: str
    neutral: str
    hot: str
    faint: str
    strong: str

    @property
    def first(self) -> str:
        """The colour of what stands alone."""
        return self.series[0]


LIGHT: Final = Look(
    background="#ffffff",
    surface="#f5f7f9",
    ink="#1c2430",
    muted="#5b6675",
    grid="#e3e7ec",
    series=("#0072b2", "#c75000", "#00805c", "#a4508b", "#8a6a00", "#3a8fc4", "#56616f"),
    good="#00805c",
    bad="#c23b00",
    warning="#8a6a00",
    cold="#e09a52",
    neutral="#f2f2f2",
    hot="#58a6d6",
    faint="#e8f1f8",
    strong="#0072b2",
)
DARK: Final = Look(
    background="#0f141a",
    surface="#1a212b",
    ink="#eef2f6",
    muted="#a3afbd",
    grid="#2b3542",
    series=("#56b4e9", "#ff9a4d", "#2fc79b", "#e08bbd", "#f0e442", "#8cc9f0", "#b4bfcc"),
    good="#2fc79b",
    bad="#ff8a5c",
    warning="#e6b422",
    cold="#8f5218",
    neutral="#26303b",
    hot="#1f6fa8",
    faint="#1c2b3a",
    strong="#56b4e9",
)


def look_of(kind: str | None) -> Look:
    """Return the look of a browser's theme, `light` or `dark`; light when it does not say."""
    return DARK if kind == "dark" else LIGHT


def finished(chart: alt.TopLevelMixin, look: Look) -> Any:
    """Return a chart with the look's fonts, lines and colours."""
    axis = {
        "labelColor": look.muted,
        "titleColor": look.muted,
        "gridColor": look.grid,
        "domainColor": look.grid,
        "tickColor": look.grid,
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "labelOverlap": True,
        "labelPadding": 6,
        "titlePadding": 8,
    }
    config = {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False},
        "legend": {
            "orient": "top",
            "labelColor": look.ink,
            "titleColor": look.muted,
            "labelFontSize": 13,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "labelLimit": 220,
            "columnPadding": 14,
        },
        "range": {"category": list(look.series)},
        "text": {"fontSize": 13, "color": look.ink},
        "line": {"strokeWidth": 2.5},
        "title": {"color": look.ink, "fontSize": 14, "anchor": "start"},
    }
    made: Any = chart
    # Rows have a height of their own; what is drawn over time has one as a whole.
    has_rows = isinstance(made._get("height"), alt.Step)  # noqa: SLF001
    fit = alt.AutoSizeParams(type="fit-x" if has_rows else "fit", contains="padding")
    return made.properties(config=config, autosize=fit)


def streamlit_theme() -> dict[str, Any]:
    """Return the same colours as options of Streamlit."""
    options: dict[str, Any] = {}
    for kind, look in (("light", LIGHT), ("dark", DARK)):
        options |= {
            f"theme.{kind}.primaryColor": look.first,
            f"theme.{kind}.backgroundColor": look.background,
            f"theme.{kind}.secondaryBackgroundColor": look.surface,
            f"theme.{kind}.textColor": look.ink,
            f"theme.{kind}.borderColor": look.grid,
        }
    sizes = ["1.9rem", "1.5rem", "1.3rem", "1.1rem", "1rem", "1rem"]
    return {**options, "theme.font": "sans-serif", "theme.headingFontSizes": sizes}
