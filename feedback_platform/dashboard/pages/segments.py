"""Segments: how large they are, what they like, what they do."""

from __future__ import annotations

import polars as pl

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts import heat
from feedback_platform.dashboard.charts.bars import bars
from feedback_platform.dashboard.data import segments
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.elements import Card, Column, cards, chart, section
from feedback_platform.dashboard.pages.view import View

_LIKED = (
    "The share of each category in what a segment likes. Blue is more than everybody's share, "
    "orange less; the five largest of each segment are shown."
)


def show(view: View) -> None:
    """Show the page."""
    ask = view.snapshot.ask
    with section("Sizes"):
        profiles = ask(segments.profiles)
        if profiles.is_empty():
            elements.nothing(tables.PROFILES)
            return
        _sizes(view, profiles)
    with section("What they like", _LIKED):
        liked = ask(segments.preferences)
        if liked.is_empty():
            elements.nothing(tables.PROFILES)
        else:
            chart(
                heat.preferences(liked, view.look),
                "Share of each category in what each segment likes",
                key="preferences",
            )
    with section("What they do", "Means over the users of a segment; scores are from 0 to 1."):
        done = ask(segments.features)
        columns = [Column("label", "Segment")]
        columns += [
            Column(name, formats.sentence(name), formats.decimal, is_number=True)
            for name in done.columns[1:]
        ]
        elements.listing(done, columns, key="features")


def _sizes(view: View, profiles: pl.DataFrame) -> None:
    first = profiles.row(0, named=True)
    cards(
        Card("Segments", formats.whole(len(profiles))),
        Card("Users in one", formats.whole(int(profiles["users"].sum()))),
        Card(
            "Silhouette",
            formats.decimal(first["silhouette"]),
            ("at most 1; users with mixed tastes lower it",),
        ),
        Card("Grouped by", str(first["algorithm"]), (str(first["model_version"]),), is_words=True),
    )
    texts = [
        f"{formats.whole(users)}  ({formats.percent(share, 0)})"
        for users, share in profiles.select("users", "share").iter_rows()
    ]
    chart(
        bars(
            profiles.with_columns(pl.Series("text", texts)), view.look, label="label",
            value="users", title="Users", text="text",
        ),
        "Users of each segment",
        key="sizes",
    )  # fmt: skip
    columns = (
        Column("segment", "Number"),
        Column("label", "Segment"),
        Column("users", "Users", formats.whole, is_number=True),
        Column("stability", "Stability", formats.decimal, is_number=True),
    )
    elements.listing(profiles, columns, key="profiles")
    elements.says("Stability: how much of a segment comes back when other users are drawn; below "
        "0.6 it is no finding, from 0.85 on it is firm.")  # fmt: skip
