from __future__ import annotations

from pathlib import Path

import polars as pl

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.adjustment.rules.ledger import Ledger
from feedback_platform.adjustment.rules.treatments import TreatedItems, treated_items
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.rules.switches import NOON, observed, rule, sample

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d", "e"],
        "categories": [["labs"], ["labs", "reports"], ["reports"], [], None],
    },
    schema={"item_id": pl.String(), "categories": pl.List(pl.String())},
)


def test_items_of_hidden_categories_are_hidden_even_where_another_is_boosted(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path.as_uri())
    assert treated_items(lake, ITEMS) == TreatedItems(frozenset(), frozenset())

    for kind, category in ((Kind.HIDE_CATEGORY, "labs"), (Kind.BOOST_CATEGORY, "reports")):
        ledger = Ledger(lake)
        firing = rule(name=category, action=Action(kind, category))
        adjuster = Adjuster(ledger, {}, lambda: NOON)
        adjuster.act(observed([(firing, sample(20, 1000))], ledger.book))

    assert treated_items(lake, ITEMS) == TreatedItems(frozenset({"a", "b"}), frozenset({"c"}))
