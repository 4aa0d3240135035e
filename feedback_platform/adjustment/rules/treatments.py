"""Which items a list leaves out or lifts, because a rule hid or boosted their category."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from feedback_platform.adjustment.rules.changes import BOOSTED, HIDDEN
from feedback_platform.adjustment.rules.ledger import read_book
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class TreatedItems:
    """Items by what is done with a category of theirs; who is hidden is not boosted."""

    hidden: frozenset[str]
    boosted: frozenset[str]


def treated_items(lake: Lake, items: pl.DataFrame) -> TreatedItems:
    """Return the items that lists leave out or lift now.

    Args:
        lake: where the ledger of adjustments is kept.
        items: the catalogue: item_id and categories.
    """
    categories = read_book(lake).categories
    hidden, boosted = (
        frozenset(_in(items, [name for name, now in categories.items() if now == treatment]))
        for treatment in (HIDDEN, BOOSTED)
    )
    return TreatedItems(hidden, boosted - hidden)


def _in(items: pl.DataFrame, categories: list[str]) -> list[str]:
    found = items.filter(pl.col("categories").list.eval(pl.element().is_in(categories)).list.any())
    return found["item_id"].to_list()
