from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from feedback_platform.scenario.truth import VISITS_SCHEMA, expected_rate, planted_uplift

DAY = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 6)]


def visits(*rows: tuple[str, datetime, str | None, float, float, float]) -> pl.DataFrame:
    """User, time, variant, and what the list shown, control and treatment are worth; four items."""
    return pl.DataFrame(
        [
            (user, at, variant, "v1", 4, shown, control, treatment)
            for user, at, variant, shown, control, treatment in rows
        ],
        schema=VISITS_SCHEMA,
        orient="row",
    )


def test_the_uplift_is_what_both_policies_are_worth_to_the_same_visits() -> None:
    told = visits(
        ("a", DAY[0], None, 9.0, 9.0, 9.0),  # before the experiment
        ("a", DAY[1], "control", 0.4, 0.4, 0.8),
        ("b", DAY[1], "personal", 1.0, 0.2, 1.0),
        ("b", DAY[2], "personal", 0.6, 0.6, 0.6),
    )

    found = planted_uplift(told)

    # 12 impressions: 1.2 clicks under control, 2.4 under treatment.
    assert (found.control, found.treatment) == pytest.approx((0.1, 0.2))
    assert found.effect == pytest.approx(0.1)
    assert found.visits == 3


def test_without_an_experiment_nothing_is_planted() -> None:
    assert planted_uplift(visits(("a", DAY[0], None, 1.0, 1.0, 2.0))).effect == 0.0


def test_the_expected_rate_of_a_variant_is_that_of_its_users_at_any_time() -> None:
    told = visits(
        ("a", DAY[0], None, 0.4, 0.0, 0.0),
        ("a", DAY[1], "personal", 0.8, 0.0, 0.0),
        ("b", DAY[0], None, 4.0, 0.0, 0.0),
        ("b", DAY[1], "control", 4.0, 0.0, 0.0),
        ("a", DAY[3], None, 4.0, 0.0, 0.0),  # at the end, which is not in it
    )

    assert expected_rate(told, "personal", DAY[0], DAY[3]) == pytest.approx(1.2 / 8)
