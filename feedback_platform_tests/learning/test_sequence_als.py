from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.als import AlsParameters, fit_als
from feedback_platform.learning.factorisation import Factorisation
from feedback_platform.learning.preferences import Sequences, preferences
from feedback_platform.learning.sequence_als import (
    SequenceAlsParameters,
    fit_sequence_als,
    stretches,
)
from feedback_platform_tests.learning.frames import scores_of, two_tastes

SMALL: dict[str, Any] = {"components": 2, "regularisation": 0.5, "confidence": 3.0, "iterations": 4}


def test_a_long_history_is_cut_into_consecutive_parts() -> None:
    sequences = Sequences(
        np.array([0, 5, 7, 7, 10]),
        np.array([4, 1, 3, 0, 2, 2, 1, 0, 1, 2]),
        np.arange(1, 11, dtype=np.float32),
    )
    # The second user's history is no longer than a stretch, and the third has none.
    assert stretches(sequences, 5, 2).toarray().tolist() == [
        [0, 2, 0, 0, 1],
        [4, 0, 0, 3, 0],
        [0, 0, 5, 0, 0],
        [8, 9, 0, 0, 0],
        [0, 0, 10, 0, 0],
    ]


@given(lengths=st.lists(st.integers(0, 9), max_size=6), length=st.integers(2, 5))
def test_the_stretches_of_a_user_are_the_history(lengths: list[int], length: int) -> None:
    items = np.array([item for size in lengths for item in reversed(range(size))], dtype=np.int64)
    weights = np.arange(1, len(items) + 1, dtype=np.float32)
    parts = stretches(Sequences(np.cumsum([0, *lengths]), items, weights), 9, length).toarray()
    expected = []
    for start, size in zip(np.cumsum([0, *lengths]), lengths, strict=False):
        for place in range(size if size > length else 0):
            if place % length == 0:
                expected.append([0.0] * 9)
            expected[-1][items[start + place]] = float(weights[start + place])
    assert parts.tolist() == expected


def test_stretches_count_as_further_users() -> None:
    known = preferences(
        scores_of(
            *[("ann", item, 1, 1, at) for at, item in enumerate("dacb")], ("bob", "a", 1, 1, 1)
        )
    )
    parameters = SequenceAlsParameters(**SMALL, stretch=2, stretch_weight=0.5)
    model = fit_sequence_als(known, parameters=parameters, seed=1)
    beside = sparse.csr_array(np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0.5, 0]], dtype=np.float32))
    expected = fit_als(known, parameters=AlsParameters(**SMALL), seed=1, beside=beside)
    assert model.user_ids == ("ann", "bob")
    assert model.scores(["ann", "bob"]) == pytest.approx(expected.scores(["ann", "bob"]), abs=1e-5)


def test_histories_that_are_all_short_leave_it_as_it_is() -> None:
    known = preferences(two_tastes(users=20))
    plain = fit_als(known, parameters=AlsParameters(**SMALL), seed=1)
    long = SequenceAlsParameters(**SMALL, stretch=24)
    assert fit_sequence_als(known, parameters=long, seed=1).to_bytes() == plain.to_bytes()
    short = SequenceAlsParameters(**SMALL, stretch=2)
    assert fit_sequence_als(known, parameters=short, seed=1).to_bytes() != plain.to_bytes()


def test_a_seed_gives_one_model_that_can_be_stored() -> None:
    known = preferences(two_tastes(users=20))
    parameters = SequenceAlsParameters(**SMALL, stretch=3)
    first, again = (
        fit_sequence_als(known, parameters=parameters, seed=1).to_bytes() for _ in range(2)
    )
    assert first == again == Factorisation.from_bytes(first).to_bytes()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stretch": 1}, "A stretch of 1"),
        ({"stretch": 0}, "stretch cannot be 0"),
        ({"stretch_weight": 0}, "stretch_weight cannot be 0"),
        ({"components": 0}, "components cannot be 0"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        SequenceAlsParameters(**change)
