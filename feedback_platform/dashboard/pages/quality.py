"""Data quality: what was rejected, how fresh the tables are, how healthy the loop is."""

from __future__ import annotations

from typing import Any

import polars as pl

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts import time
from feedback_platform.dashboard.charts.bars import bars
from feedback_platform.dashboard.charts.intervals import intervals
from feedback_platform.dashboard.data import overview, quality
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.elements import Card, Column, cards, chart, section
from feedback_platform.dashboard.pages.view import View


def show(view: View) -> None:
    """Show the page."""
    with section(
        "Rejected events", "`feedback-platform quarantine list` has each with its reason."
    ):
        _quarantine(view)
    with section("Freshness", "The newest event in each layer, and how far its tables lag behind."):
        _freshness(view)
    with section(
        "Health of the loop", "Whether what users see narrows down: how much of the catalogue is "
        "shown, how much of it is popular anyway, how alike what each user sees is.",
    ):  # fmt: skip
        _health(view)
    with section(
        "Signals", "What each signal says about who comes back or converts later: correlation with "
        "its 95 % interval.",
    ):  # fmt: skip
        _signals(view)
    with section("Weights of signals", "What is proposed; nothing is changed without approval."):
        _weights(view)


def _quarantine(view: View) -> None:
    ask = view.snapshot.ask
    reasons = ask(quality.quarantine_by_reason, view.choice)
    if reasons.is_empty():
        elements.nothing(tables.QUARANTINE, "in this period")
        return
    rejected = int(reasons["events"].sum())
    found = [Card("Rejected", formats.whole(rejected), ("in this period",))]
    taken = ask(overview.sizes).get("interaction.interactions")
    everything = ask(quality.rejected)
    if taken is not None and everything + taken:
        share = formats.percent(everything / (everything + taken), 2)
        note = f"{formats.whole(everything)} of {formats.whole(everything + taken)}"
        found.append(Card("Share of all events", share, (note, "since the beginning")))
    cards(*found)
    chart(
        time.stacked(
            ask(quality.quarantine, view.choice), view.look, value="events", part="reason",
            title="Rejected events", period=view.choice.period,
        ),
        "Rejected events over time, by reason",
        key="quarantine",
    )  # fmt: skip
    shown = reasons.head(12)
    texts = [
        f"{formats.whole(events)}  ({formats.percent(events / rejected, 0)})"
        for events in shown["events"]
    ]
    labels = [formats.sentence(reason) for reason in shown["reason"]]
    chart(
        bars(
            shown.with_columns(
                pl.Series("text", texts, pl.String()), pl.Series("label", labels, pl.String())
            ),
            view.look, label="label", value="events", title="Rejected events", text="text",
        ),
        "Rejected events by reason",
        key="reasons",
    )  # fmt: skip


def _freshness(view: View) -> None:
    rows = view.snapshot.ask(quality.freshness)
    if rows.is_empty():
        elements.nothing(tables.FRESHNESS)
        return
    columns = (
        Column("layer", "Layer"),
        Column("newest_event_at", "Newest event (UTC)", formats.moment, is_kept=True),
        Column("written_at", "Written (UTC)", formats.moment, is_kept=True),
        Column("lag_seconds", "Lag", formats.lasting, is_number=True),
        Column("measured_at", "Measured (UTC)", formats.moment, is_kept=True),
    )
    elements.listing(rows, columns, key="freshness")


def _health(view: View) -> None:
    rows = view.snapshot.ask(quality.loop_health, view.choice)
    if rows.is_empty():
        elements.nothing(tables.LOOP_HEALTH, "in this period")
        return
    chart(
        time.small_multiples(rows, view.look, measures=quality.HEALTH, bucket=view.bucket),
        "Coverage, popularity bias, Gini, exploration and filter bubble over time",
        key="health",
    )


def _signals(view: View) -> None:
    rows = view.snapshot.ask(quality.signals)
    if rows.is_empty():
        elements.nothing(tables.SIGNAL_QUALITY)
        return
    for (target, days), found in rows.group_by("target", "horizon_days", maintain_order=True):
        labelled = found.with_columns(
            pl.Series("label", [formats.sentence(each) for each in found["signal"]], pl.String())
        )
        chart(
            intervals(
                labelled.head(20), view.look, label="label", value="correlation",
                title=f"Correlation with {target} within {days} days", form="+.2f",
                size="users", size_title="users", reference=0.0,
            ),
            f"Correlation of each signal with {target} within {days} days, with intervals",
            key=f"signals-{target}-{days}",
        )  # fmt: skip


def _weights(view: View) -> None:
    rows = view.snapshot.ask(quality.weights)
    if rows.is_empty():
        elements.nothing(tables.SIGNAL_WEIGHTS)
        return
    told = rows.with_columns(
        pl.Series(
            "interval",
            [_bounds(low, high) for low, high in rows.select("low", "high").iter_rows()],
            pl.String(),
        )
    )
    columns = (
        Column("signal", "Signal", lambda name: formats.sentence(str(name))),
        Column("current_weight", "Weight", formats.decimal, is_number=True),
        Column("proposed_weight", "Proposed", formats.decimal, is_number=True),
        Column("interval", "95 %", is_number=True),
        Column("evidence", "Evidence"),
    )
    elements.listing(told, columns, key="weights")


def _bounds(low: Any, high: Any) -> str:
    if low is None or high is None:
        return formats.NOTHING
    return f"{formats.decimal(low)} to {formats.decimal(high)}"
