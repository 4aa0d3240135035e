"""Two policies that were shown to real users, half and half: a bandit's choice against chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from feedback_platform.experiments.analysis import analyse
from feedback_platform.experiments.decision import Verdict, decide
from feedback_platform.experiments.definition import Design, Goal, HoldOut
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.exposure import Exposure
from feedback_platform.experiments.reading import look_at
from feedback_platform.ingestion.open_bandit import read_open_bandit
from feedback_platform.warehouse.experiment_tables import ExperimentTables
from feedback_platform_tests.adjustment.flags.definitions import ADA
from feedback_platform_tests.adjustment.rules.tables import Tables
from feedback_platform_tests.experiments.arms import experiment, of_shares


def test_the_two_policies_of_open_bandit_are_compared(shared_data: Path) -> None:
    """The log has no users, so an impression counts as one; clicks are what they did."""
    logs = {
        policy: pl.read_csv(shared_data / "open-bandit-small" / policy / "men.csv.gz")["click"]
        for policy in ("random", "bts")
    }
    shown = {policy: len(log) for policy, log in logs.items()}
    clicked = {policy: int(log.sum()) for policy, log in logs.items()}
    policies = experiment(
        variants={"random": "uniform", "bts": "bandit"},
        control="random",
        split={"random": 50.0, "bts": 50.0},
        primary=(Goal("converting_users", 0.001),),
    )
    arms = {name: of_shares(shown[name], clicked[name]) for name in policies.variants}

    look = analyse(policies, shown, {"converting_users": arms})

    assert shown == {"random": 10_000, "bts": 10_000}
    assert clicked == {"random": 46, "bts": 69}
    found = look.readings["converting_users", "bts"]
    assert (found.control, found.mean) == pytest.approx((0.0046, 0.0069))
    assert found.effect == pytest.approx(0.0023)
    # By hand: the standard error is sqrt(.0046 * .9954 / 10,000 + .0069 * .9931 / 10,000).
    assert found.effect is not None
    assert found.effect / 0.00106917 == pytest.approx(2.15, abs=0.005)
    assert found.fixed.p_value == pytest.approx(0.032, abs=0.0006)
    assert (found.fixed.low, found.fixed.high) == pytest.approx((0.000205, 0.004395), abs=1e-6)
    # By hand: the standard error is sqrt(.0324 + 1.5 ** 2 * .0216) = .2847 of control's mean.
    assert found.relative_effect == pytest.approx(0.5)
    assert (found.relative.low, found.relative.high) == pytest.approx((-0.058, 1.058), abs=1e-3)
    # Read once, it is there; whoever may look at any time has to see more of it.
    assert found.fixed.excludes(0)
    assert not found.sequential.excludes(0)
    (decision,) = decide(policies, look, is_over=False).values()
    assert decision.verdict is Verdict.WAIT


def test_the_two_policies_are_compared_alike_by_way_of_the_tables(shared_data: Path) -> None:
    """The events are those of the import; each impression is a user, exposed by being shown."""
    lines = read_open_bandit(shared_data / "open-bandit-small").lines
    events = pl.read_ndjson(
        "\n".join(lines).encode(),
        schema={
            **dict.fromkeys(("event_id", "event_type", "item_id", "variant"), pl.String()),
            **dict.fromkeys(("experiment_id", "recommendation_id", "occurred_at"), pl.String()),
        },
    ).filter(pl.col("experiment_id").is_not_null())
    at = pl.col("occurred_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ")
    events = events.with_columns(
        occurred_at=at,
        received_at=at,
        user_id=pl.col("recommendation_id"),
        is_bot=pl.lit(value=False),
        is_burst=pl.lit(value=False),
    )
    shown = events.filter(pl.col("event_type") == "item_impression")
    exposed = shown.with_columns(
        event_id=pl.col("event_id") + "-exposed", event_type=pl.lit("experiment_exposed")
    )
    begins, ends = shown["occurred_at"].min(), shown["occurred_at"].max()
    assert isinstance(begins, datetime)
    assert isinstance(ends, datetime)
    day = timedelta(days=1)
    policies = experiment(
        key="open-bandit/men",
        variants={"random": "uniform", "bts": "bandit"},
        control="random",
        split={"random": 50.0, "bts": 50.0},
        primary=(Goal("click_through_rate", 0.001), Goal("clicks_per_user", 0.001)),
        design=Design(ends - begins + day, is_sequential=False),
    )
    started = Started(policies, HoldOut(), ADA, begins.replace(tzinfo=UTC))

    with duckdb.connect() as connection:
        Tables(connection)
        connection.register("rows", pl.concat([events, exposed]).to_arrow())
        connection.execute("insert into interaction.interactions by name from rows")
        newest = (ends + 2 * day).replace(tzinfo=UTC)
        look = look_at(ExperimentTables(connection), started, None, newest, 1)

    assert look.exposure == Exposure({"random": 10_000, "bts": 10_000})
    by_metric = {row.metric: row for row in look.results}
    rate, clicks = by_metric["click_through_rate"], by_metric["clicks_per_user"]
    for found in (rate, clicks):
        assert (found.control, found.mean) == pytest.approx((0.0046, 0.0069))
        assert found.effect == pytest.approx(0.0023)
        assert found.p_value == pytest.approx(0.032, abs=0.0006)
        assert (found.low, found.high) == pytest.approx((0.000205, 0.004395), abs=1e-5)
    # Two deciding metrics: by Holm the better one has to be below .025.
    assert (look.is_final, look.verdict) == (True, "keep control")
