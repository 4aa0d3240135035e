"""Adjustments: what trigger rules changed, why, and what became of it."""

from __future__ import annotations

import polars as pl
import streamlit as st

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts.moments import moments
from feedback_platform.dashboard.data import adjustments
from feedback_platform.dashboard.pages import changes, elements
from feedback_platform.dashboard.pages.elements import Column, chart, section
from feedback_platform.dashboard.pages.states import status
from feedback_platform.dashboard.pages.view import View


def show(view: View) -> None:
    """Show the page."""
    with section("Ledger", "Each one can be undone: `feedback-platform adjustments undo`."):
        rows = view.snapshot.ask(adjustments.ledger, view.choice)
        if rows.is_empty():
            elements.nothing(tables.ADJUSTMENTS, "in this period")
        else:
            _ledger(view, rows)
    with section("Before and after", "The days after an adjustment against those before it."):
        changes.show(view, "adjustment")


def _ledger(view: View, rows: pl.DataFrame) -> None:
    named = rows.with_columns(
        pl.concat_str("flag", pl.lit(" → "), pl.col("after").fill_null(formats.NOTHING))
        .fill_null(pl.col("action"))
        .alias("told")
    )
    chart(
        moments(
            named, view.look, at="at", row="flag", title="Changed (UTC)", kind="status",
            text="told",
        ),
        "When which flag was changed, and what became of it",
        key="changes",
    )  # fmt: skip
    columns = (
        Column("at", "At (UTC)", formats.moment, is_kept=True),
        Column("rule", "Rule"),
        Column("scope", "Of"),
        Column("action", "Action"),
        Column("flag", "What"),
        Column("before", "Before"),
        Column("after", "After"),
        Column("status", "Status", tone=status),
        Column("undone_at", "Undone (UTC)", formats.moment, is_kept=True),
    )
    elements.listing(rows, columns, key="ledger")
    st.markdown("**Evidence**")
    ids = rows["adjustment_id"].to_list()
    told = {
        each["adjustment_id"]: f"{formats.moment(each['at'])}  ·  {each['rule']}"
        for each in rows.iter_rows(named=True)
    }
    chosen = st.selectbox("Of", ids, format_func=lambda name: told.get(name, str(name)),
        key="adjustment")  # fmt: skip
    row = rows.filter(rows["adjustment_id"] == chosen).row(0, named=True)
    elements.says(str(row["reason"] or ""))
    found = adjustments.evidence(row["evidence"])
    elements.listing(found, (Column("what", "Measured"), Column("value", "Value")), key="evidence")
