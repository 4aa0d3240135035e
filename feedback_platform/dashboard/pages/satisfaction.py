"""Satisfaction: surveys, ratings, retention and conversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts import heat, time
from feedback_platform.dashboard.charts.intervals import intervals
from feedback_platform.dashboard.choice import Bucket, Choice
from feedback_platform.dashboard.data import satisfaction
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.elements import chart, section
from feedback_platform.dashboard.pages.view import View
from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform.dashboard.tables import Table

_UNSEGMENTED = "Of all users; surveys and ratings are not told apart by segment."


def show(view: View) -> None:
    """Show the page."""
    with section("Net promoter score", f"Promoters less detractors, in points. {_UNSEGMENTED}"):
        _nps(view)
    with section("Ratings", "Stars, 1 to 5."):
        _ratings(view)
    with section("Customer satisfaction (CSAT)", "The share of answers that are 4 or 5 of 5."):
        _csat(view)
    with section("Retention", "Of the users who were new in a week, who came back weeks later."):
        _retention(view)
    with section("Conversion", "The share of a day's users who converted on it."):
        _conversion(view)


def _nps(view: View) -> None:
    _over_time(
        view, satisfaction.nps, tables.SATISFACTION,
        _Line("nps", "Net promoter score", "+.0f", "responses", "Answers", _answers_bucket(view)),
        "Net promoter score over time with its interval, and the answers behind it",
    )  # fmt: skip


def _ratings(view: View) -> None:
    _over_time(
        view, satisfaction.ratings, tables.SATISFACTION,
        _Line("average_rating", "Mean rating, stars", ".2f", "ratings", "Ratings", view.bucket),
        "Mean rating over time, and the ratings behind it",
    )  # fmt: skip


def _csat(view: View) -> None:
    _over_time(
        view, satisfaction.csat, tables.CSAT,
        _Line("csat", "Satisfied", ".0%", "responses", "Answers", _answers_bucket(view)),
        "Share of satisfied answers over time with its interval, and the answers behind it",
    )  # fmt: skip


class _Line(NamedTuple):
    """What a line over time shows: a figure in some form, and how much is behind it."""

    value: str
    title: str
    form: str
    size: str
    size_title: str
    bucket: Bucket


def _over_time(
    view: View,
    question: Callable[[Snapshot, Choice], pl.DataFrame],
    table: Table,
    shown: _Line,
    described: str,
) -> None:
    rows = view.snapshot.ask(question, view.choice)
    if rows.is_empty():
        elements.nothing(table, "in this period")
        return
    chart(time.line(rows, view.look, **shown._asdict()), described, key=shown.value)


def _retention(view: View) -> None:
    ask = view.snapshot.ask
    pooled = ask(satisfaction.retention_by_week, view.choice)
    if pooled.is_empty():
        elements.nothing(tables.RETENTION, "in this period")
        return
    labelled = pooled.with_columns(
        label=("Week " + pooled["week"].cast(str)).alias("label")
    )  # fmt: skip
    chart(
        intervals(
            labelled.head(8), view.look, label="label", value="retention", title="Came back",
            form=formats.PERCENT, size="users", size_title="users",
        ),
        "Share of users who came back, by week, with intervals",
        key="retention-by-week",
    )  # fmt: skip
    chart(
        heat.cohorts(ask(satisfaction.retention, view.choice), view.look),
        "Share of each week's new users who came back, by week",
        key="cohorts",
    )


def _conversion(view: View) -> None:
    ask = view.snapshot.ask
    rows = ask(satisfaction.conversion, view.choice)
    shown = rows.filter(rows["users"] > 0)
    if shown.is_empty():
        elements.nothing(tables.CONVERSION, "for what was chosen")
        return
    chart(
        time.line(
            shown, view.look, value="conversion", title="Converted", form=formats.PERCENT,
            bucket=view.bucket, size="users", size_title="Users",
        ),
        "Conversion over time with its interval, and the users behind it",
        key="conversion",
    )  # fmt: skip
    parts = ask(satisfaction.conversion_by_segment, view.choice)
    chart(
        intervals(
            parts.filter(parts["users"] > 0), view.look, label="label", value="conversion",
            title="Converted on a day", form=formats.PERCENT, size="users",
            size_title="days of users",
        ),
        "Conversion by segment, with intervals",
        key="conversion-by-segment",
    )  # fmt: skip


def _answers_bucket(view: View) -> Bucket:
    return satisfaction.answers_bucket(view.choice)
