"""The dashboard as a whole: its pages, what they share, and what is shown where nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

import streamlit as st

from feedback_platform.dashboard import formats
from feedback_platform.dashboard.cache import SnapshotCache
from feedback_platform.dashboard.choice import Period
from feedback_platform.dashboard.data import span
from feedback_platform.dashboard.pages import (
    adjustments,
    controls,
    drift,
    elements,
    engagement,
    experiments,
    models,
    overview,
    quality,
    satisfaction,
    segments,
)
from feedback_platform.dashboard.pages.controls import Filter
from feedback_platform.dashboard.pages.view import View
from feedback_platform.dashboard.snapshot import (
    Identity,
    PublicationUnreadableError,
    ReplacedError,
    Snapshot,
    identity_of,
)
from feedback_platform.dashboard.theme import Look, look_of
from feedback_platform.errors import NothingPublishedError

# A look at one file's date; the tables are asked when there is another publication.
_LOOK_EVERY_SECONDS: Final = 5
_CACHE: Final = SnapshotCache()


@dataclass(frozen=True)
class Page:
    """A page of the dashboard.

    Attributes:
        name: in the address.
        title, icon: in the navigation; the icon is one of Material Symbols, which Streamlit brings.
        show: what fills it.
        filters: what a visitor can choose on it.
    """

    name: str
    title: str
    icon: str
    show: Callable[[View], None]
    filters: tuple[Filter, ...] = ("period",)


PAGES: Final = (
    Page("overview", "Overview", "dashboard", overview.show),
    Page(
        "engagement", "Engagement", "ads_click", engagement.show,
        ("period", "segments", "placements", "variants"),
    ),
    Page(
        "satisfaction", "Satisfaction", "sentiment_satisfied", satisfaction.show,
        ("period", "segments"),
    ),
    Page("segments", "Segments", "groups", segments.show, ()),
    Page("models", "Models", "model_training", models.show, ("period", "placements")),
    Page("experiments", "Experiments", "science", experiments.show, ("period", "variants")),
    Page("adjustments", "Adjustments", "tune", adjustments.show),
    Page("drift", "Drift", "show_chart", drift.show),
    Page("quality", "Data quality", "verified", quality.show),
)  # fmt: skip
_NOTHING_YET: Final = (
    "Nothing is published yet. Load events and run `feedback-platform process`, or see what the "
    "platform does with `feedback-platform demo`. This page notices by itself."
)


def show(published_path: Path) -> None:
    """Show the page that the address names.

    Args:
        published_path: the published database; it need not be there yet.
    """
    st.set_page_config(
        page_title="Feedback platform",
        page_icon=str(files("feedback_platform.dashboard") / "icon.png"),
        layout="wide",
        menu_items={"Get help": None, "Report a bug": None, "About": None},
    )
    chosen = st.navigation(
        [
            st.Page(
                partial(show_page, published_path, page),
                title=page.title,
                icon=f":material/{page.icon}:",
                url_path=page.name,
                default=page is PAGES[0],
            )
            for page in PAGES
        ],
        expanded=True,
    )
    chosen.run()


def show_page(published_path: Path, page: Page) -> None:
    """Show one page, of what is published now."""
    look = look_of(st.context.theme.type)
    _style(look)
    st.title(page.title, anchor=False)
    try:
        _show(published_path, page, look)
    except ReplacedError:
        # The pipeline published meanwhile; what was shown so far is of the publication before.
        st.rerun()


def _show(published_path: Path, page: Page, look: Look) -> None:
    try:
        snapshot = Snapshot(published_path, _CACHE)
    except NothingPublishedError:
        _watch(published_path, None)
        elements.notice(_NOTHING_YET)
        return
    with snapshot:
        try:
            choices = snapshot.ask(span.choices)
        except PublicationUnreadableError as error:
            _watch(published_path, snapshot.identity)
            elements.notice(str(error), kind="differs")
            return
        choice = controls.choose(choices, choices.period or _today(), page.filters)
        _watch(published_path, snapshot.identity, controls.told(choice, choices, page.filters))
        page.show(View(snapshot, choices, choice, look, datetime.now(UTC)))


def _today() -> Period:
    today = datetime.now(UTC).date()
    return Period(today, today)


@st.fragment(run_every=_LOOK_EVERY_SECONDS)
def _watch(published_path: Path, seen: Identity | None, chosen: str = "") -> None:
    """Say what is shown and how old it is, and show the next publication once it is there.

    Args:
        published_path: where it will be.
        seen: the publication that is shown, or None where there is none.
        chosen: what was chosen of it, in words.
    """
    try:
        found = identity_of(published_path)
    except NothingPublishedError:
        return
    if found != seen:
        st.rerun(scope="app")
    age = (datetime.now(UTC) - datetime.fromtimestamp(found[1] / 1e9, UTC)).total_seconds()
    published = f"published {formats.lasting(max(age, 0))} ago"
    elements.says(f"{chosen}  ·  {published}" if chosen else published.capitalize())


def _style(look: Look) -> None:
    names = ("surface", "ink", "muted", "grid", "good", "bad", "warning")
    colours = "".join(f"--fp-{name}: {getattr(look, name)};" for name in names)
    css = files("feedback_platform.dashboard").joinpath("style.css").read_text("utf-8")
    st.html(f"<style>:root {{ {colours} }}\n{css}</style>")
