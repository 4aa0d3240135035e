"""The article's example, closed: few clicks change the layout, and harm changes it back."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_platform.adjustment.flags.definitions_file import shipped_definitions
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation
from feedback_platform.simulation.simulation import Simulation
from feedback_platform_tests.adjustment.flags.definitions import ADA, person
from feedback_platform_tests.installation import FIRST_DAY, Installation

FLAGS = {"layout-home": "grid", "layout-sidebar": "grid", "layout-onboarding": "grid"}
# Those of the contract; DuckDB has a keyword of that name.
COLUMNS = (
    'adjustment_id, rule, scope, evidence, action, flag, before, after, status, "at", undone_at'
)


class Product(Installation):
    """A simulated product with the flags that ship, whose users can be made to turn away."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.flags = Flags(self.lake)
        self.flags.apply(shipped_definitions(), ADA)
        self.parameters = SimulationParameters(first_day=FIRST_DAY, users=600, days=5)
        self._simulation = simulate(self.parameters)

    def layouts(self) -> dict[str, object]:
        """What a client is told of each flag."""
        found = self.flags.refresh().flags
        return {key: flag.evaluate(person()).value for key, flag in found.items()}

    def land(self, first: int, last: int, *turned_away: pl.Expr) -> None:
        """Put what was received on some days into the lake, without what users did not do."""
        start = self.parameters.start
        received = pl.col("received_at")
        lines = self._simulation.lines.filter(
            received >= start + timedelta(days=first),
            received < start + timedelta(days=last),
            *(~each for each in turned_away),
        )
        written = Simulation(self.parameters, lines, self._simulation.planted)
        write_simulation(self.lake, written)

    def adjustment(self) -> dict[str, Any]:
        """The only one there is."""
        (row,) = self.query(f"select {COLUMNS} from metrics.adjustments").to_dicts()
        return {**row, "evidence": json.loads(row["evidence"])}


def is_said(text: str) -> pl.Expr:
    return pl.col("line").str.contains(text, literal=True)


# Nine of ten clicks at home do not happen.
NO_CLICK = (
    is_said('"item_clicked"')
    & is_said('"placement":"home"')
    & (pl.col("line").hash(seed=1) % 10 != 0)
)
# Nor does anything else in most visits, but that lists are shown.
NOTHING_DONE = (
    ~is_said('"item_impression"')
    & ~is_said('"event_type":"session_')
    & (pl.col("line").str.extract('"session_id":"([^"]+)"').hash(seed=1) % 3 != 0)
)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """Three days as usual, and one on which nearly nobody clicks at home."""
    product = Product(tmp_path_factory.mktemp("product") / "data")
    product.land(0, 3)
    product.land(3, 4, NO_CLICK)
    return product


def test_few_clicks_change_the_layout_of_that_place_and_the_ledger_says_why(
    product: Product,
) -> None:
    seen = product.process()["metrics/adjustments"]

    assert product.layouts() == {**FLAGS, "layout-home": "compact"}
    (_, switched) = product.flags.history("layout-home")
    assert switched.author.by.startswith("rule:low-click-through (")
    assert "below" in switched.author.reason
    row = product.adjustment()
    assert (row["rule"], row["scope"]) == ("low-click-through", "placement=home")
    assert (row["action"], row["flag"]) == ("flag", "layout-home")
    assert (row["before"], row["after"], row["status"]) == ("grid", "compact", "applied")
    assert row["undone_at"] is None
    evidence = row["evidence"]
    assert evidence["metric"] == "click_through_rate"
    assert evidence["value"] == evidence["numerator"] / evidence["denominator"]
    assert evidence["high"] < evidence["threshold"] == 0.05
    assert evidence["denominator"] >= 500
    table = str(seen["rules"].value)
    assert "fired: layout-home from grid to compact" in table
    assert "| placement=sidebar | click_through_rate |" in table


def test_the_evidence_is_what_the_published_tables_say(product: Product) -> None:
    evidence = product.adjustment()["evidence"]

    (clicked,) = product.query(
        f"""
        select count(*) from interaction.interactions
        where event_type = 'item_clicked' and placement = 'home' and not (is_bot or is_burst)
        and occurred_at > timestamp '{evidence["window_from"][:-6]}'
        and occurred_at <= timestamp '{evidence["window_to"][:-6]}' + interval 30 minutes
        """
    ).row(0)

    # A few clicks belong to impressions just outside the window.
    assert evidence["numerator"] == pytest.approx(clicked, abs=2)


def test_a_layout_in_which_more_visits_bounce_is_taken_back(product: Product) -> None:
    fired = product.adjustment()
    product.land(4, 5, NO_CLICK, NOTHING_DONE)

    product.process()

    assert product.layouts() == FLAGS
    row = product.adjustment()
    assert row["adjustment_id"] == fired["adjustment_id"]
    assert row["status"] == "reverted"
    assert row["undone_at"] > row["at"]
    (worse,) = [
        each for each in row["evidence"]["guards"]["compared"] if each["outcome"] == "worse"
    ]
    assert worse["metric"] == "bounce_rate"
    assert worse["scope"] == {"placement": "home"}
    assert worse["low"] > worse["margin"]


def test_the_same_data_in_a_warehouse_built_anew_change_nothing_more(product: Product) -> None:
    before, history = product.adjustment(), product.flags.history("layout-home")
    product.settings.warehouse_path.unlink()

    seen = product.process()["metrics/adjustments"]

    assert product.adjustment() == before
    assert product.flags.history("layout-home") == history
    assert seen["newest batch"].value == before["evidence"]["guards"]["newest_batch"]
