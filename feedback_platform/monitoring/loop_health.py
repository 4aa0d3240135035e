"""Does the loop narrow what users see? What was shown, by day, beside what there was to show.

- `coverage`: the share of the catalogue that was shown to anybody.
- `popularity_gini`: how unevenly impressions are spread over the catalogue; 0 is evenly, 1 all on
  one item. An item that was not shown counts.
- `popularity_bias`: how much more popular what is shown is than what users chose by themselves, as
  popularity lift (Abdollahpouri, Mansoury, Burke and Mobasher 2020, "The connection between
  popularity bias, calibration, and fairness in recommendation"): the mean popularity of an
  impression, by that of a choice, less one. Popularity is what was chosen in the four weeks before,
  so 0 is showing items as often as they are chosen; above 0 the loop makes the popular more so.
- `exploration_share`: of the impressions whose probability was logged, those that were less likely
  than not: chance put them there, not the order of a model.
- `quarantine_rate`: of what was received on the day, duplicates apart, what was rejected.
- `filter_bubble_index`: how alike what one user is shown is, beside how alike the catalogue is. The
  measure is the chance that two impressions of one user and day are of one category (Simpson 1949,
  "Measurement of diversity", without bias by how many there are), on average over users; 0 where
  that is the chance for two items of the catalogue, 1 where everybody sees one category. Nguyen,
  Hui, Harper, Terveen and Konstan 2014, "Exploring the filter bubble", follow the diversity of what
  users are shown over time in the same way; they measure it by tags, here it is by categories.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What was chosen before that says nothing of what is popular now.
POPULARITY_DAYS: Final = 28
_Z: Final = 1.959963984540054
_DIGITS: Final = 9

LOOP_HEALTH_SCHEMA: Final = pl.Schema(
    {
        "day": pl.Date(),
        "impressions": pl.Int64(),
        "users": pl.Int64(),
        "items_shown": pl.Int64(),
        "catalogue": pl.Int64(),
        "coverage": pl.Float64(),
        "popularity_gini": pl.Float64(),
        "popularity_bias": pl.Float64(),
        "exploration_share": pl.Float64(),
        "filter_bubble_index": pl.Float64(),
        "filter_bubble_low": pl.Float64(),
        "filter_bubble_high": pl.Float64(),
        "logged_propensities": pl.Int64(),
        "received": pl.Int64(),
        "quarantined": pl.Int64(),
        "quarantine_rate": pl.Float64(),
    }
)


def loop_health(
    shown_days: pl.DataFrame,
    shown_items: pl.DataFrame,
    chosen_items: pl.DataFrame,
    items: pl.DataFrame,
    received_days: pl.DataFrame,
) -> pl.DataFrame:
    """Return the health of the loop for each day on which something was shown.

    Args:
        shown_days: day, impressions, users, logged (with a probability), unlikely (of them), and
            concentration, deviation and seers: mean and standard deviation over users of the chance
            that two of their impressions are of one category, and of how many users.
        shown_items: day, item_id, impressions.
        chosen_items: day, item_id, choices: users who chose the item by an action of their own.
        items: item_id, first_day, categories (a list, null where there are none).
        received_days: day, received and quarantined: events received on it, and lines of them that
            were rejected.
    """
    if shown_days.is_empty():
        return pl.DataFrame(schema=LOOP_HEALTH_SCHEMA)
    catalogue = _Catalogue(items)
    shown = catalogue.by_day(shown_items, "impressions")
    popularity = _Popularity(catalogue.by_day(chosen_items, "choices"), len(catalogue))
    rows = []
    for facts in shown_days.sort("day").iter_rows(named=True):
        day = facts["day"]
        places, counts = shown[day]
        impressions = np.zeros(len(catalogue))
        impressions[places] = counts
        # Of an item that came late to the catalogue it is known all the same that it was there.
        size = int((catalogue.is_there(day) | (impressions > 0)).sum())
        rows.append(
            {
                "day": day,
                "impressions": facts["impressions"],
                "users": facts["users"],
                "items_shown": len(places),
                "catalogue": size,
                "coverage": len(places) / size,
                "popularity_gini": gini(counts, size),
                "popularity_bias": _lift(impressions, popularity.before(day)),
                "exploration_share": (
                    facts["unlikely"] / facts["logged"] if facts["logged"] else None
                ),
                "logged_propensities": facts["logged"],
            }
            | _bubble(facts, catalogue.concentration(day))
        )
    table = pl.DataFrame(rows).join(received_days, on="day", how="left")
    rate = pl.col("quarantined") / pl.col("received")
    return (
        table.with_columns(quarantine_rate=pl.when(pl.col("received") > 0).then(rate))
        .select(LOOP_HEALTH_SCHEMA.names())
        .cast(LOOP_HEALTH_SCHEMA)
        # In what order a database adds up decides the last bits of what it says.
        .with_columns(pl.selectors.float().round(_DIGITS))
        .sort("day")
    )


def gini(counts: Floats, size: int) -> float:
    """Return Gini's coefficient of counts; up to `size` of them are 0 and not there."""
    ordered = np.sort(counts)
    places = np.arange(size - len(ordered) + 1, size + 1)
    return float(2 * (places * ordered).sum() / (size * ordered.sum()) - (size + 1) / size)


class _Catalogue:
    """The items in an order, each with the day from which on it is known."""

    def __init__(self, items: pl.DataFrame) -> None:
        ordered = items.sort("first_day", "item_id")
        self._place = {item: place for place, item in enumerate(ordered["item_id"])}
        self._first_days = ordered["first_day"].to_numpy().astype("datetime64[D]")
        self._categories = ordered["categories"].to_list()
        self._read = 0
        self._weights: defaultdict[str, float] = defaultdict(float)

    def __len__(self) -> int:
        return len(self._place)

    def by_day(
        self, table: pl.DataFrame, column: str
    ) -> dict[date, tuple[NDArray[np.int64], Floats]]:
        """Return places and counts of each day's items; items that nobody knows are left out."""
        placed = table.with_columns(
            place=pl.col("item_id").replace_strict(self._place, default=None, return_dtype=pl.Int64)
        ).drop_nulls("place")
        return {
            day: (rows["place"].to_numpy(), rows[column].to_numpy().astype(np.float64))
            for (day,), rows in placed.group_by("day")
            if isinstance(day, date)
        }

    def is_there(self, day: date) -> NDArray[np.bool_]:
        """Return of each item whether it was known by the end of a day."""
        return np.asarray(self._first_days <= np.datetime64(day))

    def concentration(self, day: date) -> float | None:
        """Return the chance that two items drawn from the catalogue are of one category.

        None where no item has one. Days are asked for in their order.
        """
        through = int(self.is_there(day).sum())
        for categories in self._categories[self._read : through]:
            for category in categories or ():
                self._weights[category] += 1 / len(categories)
        self._read = max(self._read, through)
        weights = np.array(list(self._weights.values()))
        return float((weights**2).sum() / weights.sum() ** 2) if weights.size else None


class _Popularity:
    """What was chosen in the weeks before a day; days are asked for in their order."""

    def __init__(self, chosen: dict[date, tuple[NDArray[np.int64], Floats]], size: int) -> None:
        self._coming = sorted(chosen.items(), key=lambda entry: entry[0])
        self._leaving = list(self._coming)
        self._choices = np.zeros(size)

    def before(self, day: date) -> Floats:
        self._take(self._coming, day, 1)
        self._take(self._leaving, day - timedelta(days=POPULARITY_DAYS), -1)
        return self._choices

    def _take(
        self, entries: list[tuple[date, tuple[NDArray[np.int64], Floats]]], end: date, sign: int
    ) -> None:
        while entries and entries[0][0] < end:
            _, (places, counts) = entries.pop(0)
            self._choices[places] += sign * counts


def _lift(impressions: Floats, choices: Floats) -> float | None:
    if choices.sum() == 0:
        return None
    shown = float((impressions * choices).sum() / impressions.sum())
    chosen = float((choices * choices).sum() / choices.sum())
    return shown / chosen - 1


def _bubble(facts: dict[str, float], base: float | None) -> dict[str, float | None]:
    names = ("filter_bubble_index", "filter_bubble_low", "filter_bubble_high")
    if base is None or base >= 1 or not facts["seers"]:
        return dict.fromkeys(names)
    index = (facts["concentration"] - base) / (1 - base)
    if facts["deviation"] is None:
        return {names[0]: index, names[1]: None, names[2]: None}
    reach = _Z * facts["deviation"] / (facts["seers"] ** 0.5 * (1 - base))
    return {names[0]: index, names[1]: index - reach, names[2]: index + reach}
