from __future__ import annotations

import numpy as np
import pytest

from feedback_platform.learning.ranker_calibration import (
    Calibration,
    calibration_error,
    fit_calibration,
)


def test_the_line_that_made_the_labels_is_found() -> None:
    generator = np.random.default_rng(0)
    sums, offsets = generator.normal(size=40_000), generator.normal(size=40_000)
    truth = Calibration(-2.0, 0.6)
    labels = generator.random(40_000) < truth.probabilities(sums, offsets)
    found = fit_calibration(sums, labels, np.ones(40_000), offsets)
    assert found.intercept == pytest.approx(-2.0, abs=0.06)
    assert found.slope == pytest.approx(0.6, abs=0.06)


def test_weights_count_like_repetitions() -> None:
    generator = np.random.default_rng(1)
    sums = generator.normal(size=500)
    labels = generator.random(500) < 0.3
    weights = generator.integers(1, 4, 500)
    twice = np.repeat(np.arange(500), weights)
    one = fit_calibration(sums, labels, weights.astype(np.float64), np.zeros(500))
    other = fit_calibration(sums[twice], labels[twice], np.ones(len(twice)), np.zeros(len(twice)))
    assert one.slope == pytest.approx(other.slope)
    assert one.intercept == pytest.approx(other.intercept)


@pytest.mark.parametrize("is_right", [True, False])
def test_a_slice_without_differences_still_gives_probabilities(*, is_right: bool) -> None:
    found = fit_calibration(
        np.linspace(-1, 1, 20), np.full(20, is_right), np.ones(20), np.zeros(20)
    )
    probabilities = found.probabilities(np.array([-1.0, 1.0]))
    assert (probabilities > 0.5).all() == is_right
    assert np.isfinite(probabilities).all()


def test_a_line_never_turns_the_order_around() -> None:
    sums = np.linspace(-1, 1, 200)
    found = fit_calibration(sums, sums < 0, np.ones(200), np.zeros(200))
    assert found.slope > 0


def test_the_calibration_error_worked_by_hand() -> None:
    probabilities = np.array([0.1, 0.3, 0.6, 0.8])
    labels = np.array([False, True, True, False])
    # Two bins: mean 0.2 against 0.5, and mean 0.7 against 0.5.
    assert calibration_error(probabilities, labels, bins=2) == pytest.approx(0.25)
    # Three quarters of the weight in the upper bin, and there on what was right.
    weights = np.array([1.0, 1.0, 5.0, 1.0])
    expected = (abs(0.4 - 1) + abs(5 * 0.6 + 0.8 - 5)) / 8
    assert calibration_error(probabilities, labels, weights, bins=2) == pytest.approx(expected)
