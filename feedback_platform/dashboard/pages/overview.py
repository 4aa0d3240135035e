"""Overview: how it goes, on one screen."""

from __future__ import annotations

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts import time
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.data import (
    adjustments,
    drift,
    engagement,
    models,
    overview,
    satisfaction,
)
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.elements import Card, Column, cards, chart, section
from feedback_platform.dashboard.pages.states import severity, status
from feedback_platform.dashboard.pages.view import View


def show(view: View) -> None:
    """Show the page."""
    with section("Engagement"):
        _engagement(view)
    with section("Satisfaction and conversion"):
        _satisfaction(view)
    with section("What needs attention"):
        _alerts(view)
    with section("What the platform changed by itself"):
        _adjustments(view)
    with section("What is published"):
        _sizes(view)


def _engagement(view: View) -> None:
    ask = view.snapshot.ask
    choice, before = view.choice, Choice(view.choice.period.before)
    (now,) = ask(engagement.totals, choice).iter_rows(named=True)
    (then,) = ask(engagement.totals, before).iter_rows(named=True)
    if not now["impressions"] and not now["visits"]:
        elements.nothing(tables.ENGAGEMENT, "in this period")
        return
    cards(
        Card(
            "Click-through",
            formats.percent(now["ctr"]),
            (
                _interval(now, of_shares=True),
                elements.change(now["ctr"], then["ctr"], of_shares=True),
            ),
        ),
        Card(
            "Impressions",
            formats.whole(now["impressions"]),
            (elements.change(now["impressions"], then["impressions"]),),
        ),
        Card(
            "Clicks",
            formats.whole(now["clicks"]),
            (elements.change(now["clicks"], then["clicks"]),),
        ),
        Card(
            "Visit length",
            formats.lasting(now["session_seconds"]),
            (elements.change(now["session_seconds"], then["session_seconds"]),),
        ),
        Card(
            "Bounces",
            formats.percent(now["bounce_rate"]),
            (elements.change(now["bounce_rate"], then["bounce_rate"], of_shares=True),),
        ),
    )
    chart(
        time.line(
            ask(engagement.over_time, choice), view.look, value="ctr", title="Click-through",
            form=formats.PERCENT, bucket=view.bucket, size="impressions", size_title="Shown",
        ),
        "Click-through over time, and the impressions behind it",
        key="overview-ctr",
    )  # fmt: skip


def _satisfaction(view: View) -> None:
    ask, choice = view.snapshot.ask, view.choice
    found = []
    answered = ask(satisfaction.nps_total, choice)
    if not answered.is_empty():
        row = answered.row(0, named=True)
        notes = (_interval(row), f"{formats.whole(row['responses'])} answers")
        found.append(Card("Net promoter score", formats.signed(row["nps"], 0), notes))
    (rated,) = ask(satisfaction.ratings_total, choice).iter_rows(named=True)
    if rated["ratings"]:
        stars = f"{formats.decimal(rated['average_rating'])} ★"
        found.append(Card("Rating", stars, (f"{formats.whole(rated['ratings'])} ratings",)))
    if view.snapshot.has(tables.CONVERSION):
        (row,) = ask(satisfaction.conversion_total, choice).iter_rows(named=True)
        if row["users"]:
            notes = (
                _interval(row, of_shares=True),
                f"{formats.whole(row['users'])} days of users",
            )
            found.append(Card("Conversion", formats.percent(row["conversion"]), notes))
            found.append(
                Card(
                    "Conversions",
                    formats.whole(row["conversions"]),
                    (f"revenue {formats.whole(row['revenue'])}",),
                )
            )
    if found:
        cards(*found)
    else:
        elements.nothing(tables.SATISFACTION, "in this period")


def _alerts(view: View) -> None:
    rows = view.snapshot.ask(drift.alerts, view.choice)
    opened = rows.filter(rows["open"])
    if opened.is_empty():
        elements.says("No alert is open.")
        return
    columns = (
        Column("raised_at", "Raised (UTC)", formats.moment, is_kept=True),
        Column("severity", "Severity", tone=severity),
        Column("subject", "Of"),
        Column("message", "What"),
    )
    elements.listing(opened, columns, key="overview-alerts")


def _adjustments(view: View) -> None:
    rows = view.snapshot.ask(adjustments.ledger, view.choice)
    if rows.is_empty():
        elements.nothing(tables.ADJUSTMENTS, "in this period")
        return
    columns = (
        Column("at", "At (UTC)", formats.moment, is_kept=True),
        Column("rule", "Rule"),
        Column("flag", "What"),
        Column("before", "Before"),
        Column("after", "After"),
        Column("status", "Status", tone=status),
    )
    elements.listing(rows.head(5), columns, key="overview-adjustments")


def _sizes(view: View) -> None:
    ask = view.snapshot.ask
    sizes = ask(overview.sizes)
    state = ask(overview.state).row(0, named=True)
    shown = [
        Card(title, formats.whole(sizes[name]))
        for name, title in (
            ("interaction.interactions", "Interactions"),
            ("interaction.users", "Users"),
            ("interaction.items", "Items"),
            ("feedback.user_feedback", "Pieces of feedback"),
        )
        if name in sizes
    ]
    shown.append(
        Card(
            "Published",
            formats.moment(state["published_at"]),
            (f"with batch {formats.whole(state['through'])}",),
            is_words=True,
        )
    )
    if view.snapshot.has(tables.MODEL_VERSIONS):
        for model in ask(models.models):
            versions = ask(models.versions, model)
            used = versions.filter(versions["status"] == "champion")
            if not used.is_empty():
                row = used.row(0, named=True)
                age = formats.lasting((view.now - row["trained_at"]).total_seconds())
                notes = (f"trained {age} ago",)
                label = f"In use: {model}"
                shown.append(Card(label, row["version"], notes, is_words=True))
    cards(*shown)


def _interval(row: dict[str, float | None], *, of_shares: bool = False) -> str:
    found = formats.between(row["low"], row["high"], of_shares=of_shares)
    return f"95 %: {found}" if found else ""
