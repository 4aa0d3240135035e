"""What is read of an experiment from the tables, beside tea-tasting's reading of the same users."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import duckdb
import pytest
import tea_tasting as tt

from feedback_platform.experiments.analysis import analyse
from feedback_platform.experiments.definition import Design, Experiment, Goal
from feedback_platform.experiments.exposure import Exposure, keep_exposed
from feedback_platform.experiments.observing import observe_metrics
from feedback_platform.experiments.sums import COUNT, TOTAL, TOTAL_BEFORE, Sums
from feedback_platform.warehouse.experiment_tables import ExperimentTables
from feedback_platform_tests.adjustment.rules.tables import START, Tables
from feedback_platform_tests.experiments.arms import experiment
from feedback_platform_tests.experiments.people import People

KEY = "cards-at-home"
DAY = timedelta(days=1)
MET: dict[str, Any] = {"event_type": "experiment_exposed", "experiment_id": KEY}
METRICS = (
    "converting_users",
    "clicks_per_user",
    "conversions_per_user",
    "revenue_per_user",
    "visits_per_user",
    "returning_users",
    "click_through_rate",
    "bounce_rate",
)


class Read(Tables):
    """Tables that an experiment is read from."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self.tables = ExperimentTables(connection)

    def meet(self, minute: float, user_id: str, variant: str, **changes: Any) -> None:
        self.happen(minute, **{**MET, "user_id": user_id, "variant": variant, **changes})

    def exposure(self, definition: Experiment, minutes: float = 10_000) -> Exposure:
        return keep_exposed(self.tables, definition, START, START + timedelta(minutes=minutes))

    def sums(self, metric: str, minutes: float = 10_000, **changes: Any) -> dict[str, Sums]:
        """The sums of a metric so long after the start."""
        definition = experiment(primary=(Goal(metric, 0.1),), **changes)
        until = START + timedelta(minutes=minutes)
        keep_exposed(self.tables, definition, START, until)
        return observe_metrics(self.tables, definition, START, until, until)[metric]

    def totals(self, metric: str, **changes: Any) -> dict[str, float]:
        return {name: each.sums[TOTAL] for name, each in self.sums(metric, **changes).items()}


@pytest.fixture
def read() -> Iterator[Read]:
    with duckdb.connect() as connection:
        yield Read(connection)


def test_a_user_counts_once_from_the_first_exposure_on(read: Read) -> None:
    for minute in (5.0, 1.0, 9.0):
        read.meet(minute, "ann", "cards")
    read.meet(2, "bob", "grid")
    read.meet(3, "eve", "grid", experiment_id="another")
    read.meet(3, "program", "grid", is_bot=True)
    read.meet(-1, "early", "grid")
    read.meet(10_001, "late", "grid")
    for minute, user in ((0.5, "ann"), (1.0, "ann"), (4.0, "ann"), (1.0, "bob"), (4.0, "eve")):
        read.happen(minute, event_type="item_clicked", user_id=user)

    assert read.exposure(experiment()) == Exposure({"grid": 1, "cards": 1})
    assert read.totals("clicks_per_user") == {"cards": 2, "grid": 0}


def test_who_met_two_variants_or_none_that_there_is_or_opted_out_is_counted_and_left_out(
    read: Read,
) -> None:
    read.meet(1, "both", "cards")
    read.meet(2, "both", "grid")
    read.meet(1, "old", "rows")
    for user in ("no-research", "not-personal", "fine"):
        read.meet(1, user, "grid")
    read.insert("interaction.user_preferences", "no-research", True, False)
    read.insert("interaction.user_preferences", "not-personal", False, True)
    read.insert("interaction.user_preferences", "fine", True, True)

    found = read.exposure(experiment())

    assert found == Exposure({"grid": 1, "cards": 0}, mixed=1, unknown=1, opted_out=2)
    assert read.sums("clicks_per_user")["grid"].users == 1


def test_where_nobody_was_exposed_nothing_is_observed(read: Read) -> None:
    assert read.exposure(experiment()) == Exposure({"grid": 0, "cards": 0})
    for metric in METRICS:
        assert read.sums(metric) == {}


def test_the_visit_in_which_a_user_was_exposed_counts_and_those_before_are_the_past(
    read: Read,
) -> None:
    read.meet(0, "u", "grid")
    read.visit(-100, 10, "past", is_bounce=True)
    read.visit(-5, 10, "now")
    read.visit(60, 10, "later", is_bounce=True)
    design = Design(DAY, cuped_window=DAY)

    (visits,) = read.sums("bounce_rate", design=design).values()

    assert (visits.sums[TOTAL], visits.sums[COUNT]) == (1, 2)
    assert visits.sums[TOTAL_BEFORE] == 1


def test_a_past_is_no_longer_than_its_window(read: Read) -> None:
    read.meet(0, "u", "grid")
    for minute in (-61, -60, -1, 0):
        read.happen(minute, event_type="item_clicked")

    design = Design(DAY, cuped_window=timedelta(hours=1))
    (clicks,) = read.sums("clicks_per_user", design=design).values()

    assert clicks.sums == {TOTAL: 1, TOTAL_BEFORE: 2}


def test_who_comes_back_comes_on_a_later_day(read: Read) -> None:
    for user, minute in (("same", 20 * 60.0), ("next", 25 * 60.0)):
        read.meet(0, user, "grid")
        read.visit(0, 5, f"{user}-1", user_id=user)
        read.visit(minute, 5, f"{user}-2", user_id=user)

    assert read.totals("returning_users") == {"grid": 1}


def test_what_has_not_settled_does_not_count_yet(read: Read) -> None:
    read.meet(0, "u", "grid")
    read.happen(1, recommendation_id="first")
    read.happen(20, recommendation_id="second")
    read.happen(21, recommendation_id="second", event_type="item_clicked")

    assert read.totals("click_through_rate", minutes=40) == {"grid": 0}
    assert read.totals("click_through_rate", minutes=50) == {"grid": 1}
    assert read.totals("clicks_per_user", minutes=40) == {"grid": 1}


MEANS = {
    "clicks_per_user": "clicks",
    "conversions_per_user": "bought",
    "revenue_per_user": "revenue",
    "visits_per_user": "visits",
    "converting_users": "converted",
    "returning_users": "later",
}
RATIOS = {"click_through_rate": ("answered", "shown"), "bounce_rate": ("bounced", "visits")}


@pytest.mark.parametrize("has_past", [False, True], ids=["plain", "cuped"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_read_from_the_tables_is_what_tea_tasting_reads_of_the_same_users(
    seed: int, *, has_past: bool
) -> None:
    people = People(seed, 900, KEY)
    window = 7 * DAY if has_past else None
    definition = experiment(
        primary=tuple(Goal(metric, 0.1) for metric in METRICS),
        design=Design(30 * DAY, cuped_window=window),
    )
    until = START + 20 * DAY
    with duckdb.connect() as connection:
        tables = people.settle(connection)
        exposure = keep_exposed(tables, definition, START, until)
        look = analyse(
            definition,
            exposure.users,
            observe_metrics(tables, definition, START, until, until),
        )

    users = people.users()
    expected = tt.Experiment(
        {
            **{
                metric: tt.Mean(column, f"{column}_before" if has_past else None)
                for metric, column in MEANS.items()
            },
            **{
                metric: tt.RatioOfMeans(
                    above,
                    below,
                    f"{above}_before" if has_past else None,
                    f"{below}_before" if has_past else None,
                )
                for metric, (above, below) in RATIOS.items()
            },
        }
    ).analyze(users, control="grid")

    assert exposure.users == dict(users["variant"].value_counts().iter_rows())
    # The variance of a share is that of a proportion, which is (n - 1) / n of the sample's.
    precision = {metric: 0.01 if metric.endswith("_users") else 1e-9 for metric in METRICS}
    for metric in METRICS:
        found, wanted = look.readings[metric, "cards"], expected[metric]
        assert found.users == exposure.users["cards"]
        assert (found.control, found.mean) == pytest.approx((wanted.control, wanted.treatment))
        assert (found.effect, found.fixed.low, found.fixed.high) == pytest.approx(
            (wanted.effect_size, wanted.effect_size_ci_lower, wanted.effect_size_ci_upper),
            rel=precision[metric],
            abs=precision[metric] / 10,
        )
        assert found.fixed.p_value == pytest.approx(wanted.pvalue, rel=5 * precision[metric])
