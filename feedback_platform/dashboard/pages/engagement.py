"""Engagement: click-through, visits and bounces, as a whole and by part."""

from __future__ import annotations

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts import time
from feedback_platform.dashboard.charts.intervals import intervals
from feedback_platform.dashboard.data import engagement
from feedback_platform.dashboard.data.engagement import Part
from feedback_platform.dashboard.pages import by_version, elements
from feedback_platform.dashboard.pages.elements import Column, chart, section
from feedback_platform.dashboard.pages.view import View

_OVER_DAYS = (
    "Intervals are of 95 %, with the day as the unit, so they hold that users and days differ; "
    "below five days there are none."
)


def show(view: View) -> None:
    """Show the page."""
    ask, choice = view.snapshot.ask, view.choice
    with section("Click-through"):
        rows = ask(engagement.over_time, choice)
        shown = rows.filter(rows["impressions"] > 0)
        if shown.is_empty():
            elements.nothing(tables.ENGAGEMENT, "for what was chosen")
        else:
            chart(
                time.line(
                    shown, view.look, value="ctr", title="Click-through", form=formats.PERCENT,
                    bucket=view.bucket, size="impressions", size_title="Shown",
                ),
                "Click-through over time, and the impressions behind it",
                key="ctr",
            )  # fmt: skip
    with section("By segment", _OVER_DAYS):
        _by_part(view, "segment")
    with section("By placement"):
        _by_part(view, "placement")
    with section("Visits", "A visit counts in every placement that it touched, and once in each."):
        _visits(view)
    with section(
        "By model version",
        by_version.EXPLAINED,
    ):
        by_version.show(view, key="ctr-by-model")
    with section("By variant", "Who was exposed to an experiment; what that means is on its page."):
        _by_variant(view)


def _by_part(view: View, part: Part) -> None:
    rows = view.snapshot.ask(engagement.by_part, view.choice, part)
    shown = rows.filter(rows["impressions"] > 0)
    if shown.is_empty():
        elements.nothing(tables.ENGAGEMENT, "for what was chosen")
        return
    chart(
        intervals(
            shown, view.look, label="label", value="ctr", title="Click-through",
            form=formats.PERCENT, size="impressions", size_title="impressions",
        ),
        f"Click-through by {part}, with intervals",
        key=f"ctr-by-{part}",
    )  # fmt: skip


def _visits(view: View) -> None:
    rows = view.snapshot.ask(engagement.over_time, view.choice)
    shown = rows.filter(rows["visits"] > 0)
    if shown.is_empty():
        elements.nothing(tables.ENGAGEMENT, "for what was chosen")
        return
    minutes = shown.with_columns((shown["session_seconds"] / 60).alias("minutes"))
    for name, title, form in (
        ("minutes", "Visit length, minutes", ".1f"),
        ("bounce_rate", "Bounces", formats.PERCENT),
    ):
        chart(
            time.line(
                minutes.drop("low", "high"), view.look, value=name, title=title, form=form,
                bucket=view.bucket, size="visits", size_title="Visits",
            ),
            f"{title} over time, and the visits behind it",
            key=name,
        )  # fmt: skip


def _by_variant(view: View) -> None:
    rows = view.snapshot.ask(engagement.by_variant, view.choice)
    if rows.is_empty():
        elements.nothing(tables.ENGAGEMENT_BY_VARIANT, "for what was chosen")
        return
    columns = (
        Column("experiment_id", "Experiment"),
        Column("variant", "Variant"),
        Column("impressions", "Shown", formats.whole, is_number=True),
        Column("ctr", "Click-through", formats.percent, is_number=True),
        Column("visits", "Visits", formats.whole, is_number=True),
        Column("session_seconds", "Visit length", formats.lasting, is_number=True),
        Column("bounce_rate", "Bounces", formats.percent, is_number=True),
        Column("conversions", "Conversions", formats.whole, is_number=True),
    )
    elements.listing(rows, columns, key="by-variant")
