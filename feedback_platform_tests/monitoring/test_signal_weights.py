from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.monitoring.signal_quality import QUALITY_SCHEMA
from feedback_platform.monitoring.signal_weights import WEIGHTS_SCHEMA, propose_weights

AT = datetime(2026, 4, 1, tzinfo=UTC)
NAMES = ["a", "b", "c", "d"]


def weights(*confidences: float, against: str = "") -> pl.DataFrame:
    """Signals a, b, c, d with a value; one may say that an item is not liked."""
    rows = [
        (name, 0.0, 0.0 if name == against else 1.0, confidence)
        for name, confidence in zip(NAMES, confidences, strict=True)
    ]
    return pl.DataFrame(
        rows, schema=["signal", "score_low", "score_high", "confidence"], orient="row"
    )


def quality(
    *worths: float, error: float, horizon: int = 7, observations: int = 900
) -> pl.DataFrame:
    """What was measured of each, the same with both targets."""
    rows = [
        {
            "signal": name,
            "target": target,
            "horizon_days": horizon,
            "users": 900,
            "observations": observations,
            "partial_correlation": worth,
            "partial_low": worth - 1.959964 * error,
            "partial_high": worth + 1.959964 * error,
            "as_of": AT,
        }
        for name, worth in zip(NAMES, worths, strict=False)
        for target in ("conversion", "retention")
    ]
    return pl.DataFrame(rows, schema=QUALITY_SCHEMA)


def proposal(found: pl.DataFrame) -> list[float]:
    return found.sort("signal")["proposed_weight"].to_list()


def test_what_cannot_be_told_from_the_weights_in_force_changes_nothing() -> None:
    in_force = weights(0.8, 0.4, 0.2, 0.2)

    exactly = propose_weights(quality(0.08, 0.04, 0.02, 0.02, error=0.01), in_force)
    by_chance = propose_weights(quality(0.12, 0.0, 0.06, 0.02, error=0.1), in_force)

    assert exactly.schema == WEIGHTS_SCHEMA
    assert proposal(exactly) == pytest.approx([0.8, 0.4, 0.2, 0.2])
    assert proposal(by_chance) == pytest.approx([0.8, 0.4, 0.2, 0.2])


def test_what_is_known_well_counts_in_proportion_and_the_sum_stays() -> None:
    # Without doubt the weights follow 3 : 2 : 2 : 1; their sum is 1.6 as before.
    found = propose_weights(quality(0.3, 0.2, 0.2, 0.1, error=1e-5), weights(0.5, 0.5, 0.3, 0.3))

    assert proposal(found) == pytest.approx([0.6, 0.4, 0.4, 0.2], abs=1e-3)
    row = found.row(0, named=True)
    assert row["low"] == pytest.approx(row["proposed_weight"], abs=1e-3)
    assert row["evidence"] == (
        "Partial correlation +0.300 (+0.300 to +0.300) with retention, +0.300 (+0.300 to +0.300) "
        "with conversion, 7 days ahead, 900 users."
    )


def test_the_better_something_is_known_the_further_the_proposal_goes() -> None:
    in_force = weights(0.5, 0.5, 0.3, 0.3)
    steps = [
        proposal(propose_weights(quality(0.3, 0.2, 0.2, 0.1, error=error), in_force))[0]
        for error in (0.2, 0.06, 0.03, 0.001)
    ]

    assert steps == sorted(steps)
    assert steps[0] == pytest.approx(0.5)
    assert steps[-1] == pytest.approx(0.6, abs=0.01)


def test_a_signal_against_an_item_is_worth_something_where_its_senders_leave() -> None:
    in_force = weights(0.5, 0.5, 0.5, 0.5, against="d")

    leave = propose_weights(quality(0.2, 0.2, 0.2, -0.2, error=1e-4), in_force)
    stay = propose_weights(quality(0.2, 0.2, 0.2, 0.2, error=1e-4), in_force)

    assert proposal(leave) == pytest.approx([0.5] * 4, abs=1e-3)
    assert proposal(stay)[3] == 0.25
    assert "expected below 0" in stay.row(3, named=True)["evidence"]


def test_no_proposal_more_than_doubles_or_halves_a_weight_or_makes_it_proof() -> None:
    found = propose_weights(quality(0.5, 0.5, 0.01, -0.4, error=1e-4), weights(0.9, 0.1, 0.6, 0.6))

    assert proposal(found) == pytest.approx([0.95, 0.2, 0.3, 0.3])


@pytest.mark.parametrize("worths", [(-0.2, -0.1, -0.1, -0.1), (0.2, 0.2)])
def test_where_signals_point_nowhere_or_are_too_few_the_weights_stay(
    worths: tuple[float, ...],
) -> None:
    found = propose_weights(quality(*worths, error=0.001), weights(0.8, 0.4, 0.2, 0.2))

    assert proposal(found) == [0.8, 0.4, 0.2, 0.2]
    assert found["low"].to_list() == [None] * 4
    assert "the weight stays" in found.row(0, named=True)["evidence"]


def test_a_signal_that_was_not_measured_keeps_its_weight_and_says_so() -> None:
    found = propose_weights(quality(0.3, 0.1, 0.1, error=0.001), weights(0.4, 0.4, 0.4, 0.7))

    assert found.row(3) == ("d", 0.7, 0.7, None, None, "Too little is known of it.", AT)
    assert sum(proposal(found)[:3]) == pytest.approx(1.2)


def test_it_speaks_of_the_horizon_with_the_most_observations() -> None:
    both = pl.concat(
        [
            quality(0.3, 0.1, 0.1, 0.1, error=0.001, horizon=14, observations=400),
            quality(0.1, 0.1, 0.1, 0.3, error=0.001, horizon=7),
        ]
    )

    found = propose_weights(both, weights(0.4, 0.4, 0.4, 0.4))

    assert proposal(found)[3] > 0.6
    assert found.filter(pl.col("evidence").str.contains("14 days ahead")).is_empty()


def test_without_anything_measured_there_is_no_proposal() -> None:
    found = propose_weights(pl.DataFrame(schema=QUALITY_SCHEMA), weights(0.8, 0.4, 0.2, 0.2))

    assert (found.schema, found.height) == (WEIGHTS_SCHEMA, 0)


@given(
    st.lists(st.floats(-0.4, 0.4), min_size=4, max_size=4),
    st.lists(st.floats(0.05, 0.95), min_size=4, max_size=4),
    st.floats(0.001, 0.2),
)
def test_every_proposal_is_a_weight_within_its_interval(
    worths: list[float], confidences: list[float], error: float
) -> None:
    found = propose_weights(quality(*worths, error=error), weights(*confidences))

    proposed = np.array(proposal(found))
    assert ((proposed > 0) & (proposed < 1)).all()
    assert (proposed <= 2 * np.array(confidences) + 1e-12).all()
    told = found.drop_nulls()
    assert (told["low"] <= told["proposed_weight"] + 1e-9).all()
    assert (told["proposed_weight"] <= told["high"] + 1e-9).all()
