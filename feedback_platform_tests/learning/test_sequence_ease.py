from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import ease, sequence_ease
from feedback_platform.learning.ease import EaseParameters, LinearScores, fit_item_ease
from feedback_platform.learning.preferences import Sequences, preferences
from feedback_platform.learning.sequence_ease import (
    SequenceEaseParameters,
    fit_sequence_ease,
    near_together,
)
from feedback_platform_tests.learning.frames import scores_of, two_tastes

# One reach apart is half as much, two are a quarter.
HALVES = 1 / math.log(2)


def test_the_counts_of_two_histories_worked_by_hand() -> None:
    # Ann likes c, then a, then b; Bob b, then a. Places: c-a 1, a-b 1, c-b 2; b-a 1.
    known = preferences(
        scores_of(
            ("ann", "c", 1, 1, 1),
            ("ann", "a", 1, 1, 2),
            ("ann", "b", 1, 1, 9),
            ("bob", "b", 1, 1, 3),
            ("bob", "a", 1, 1, 4),
        )
    )
    assert near_together(known.sequences, 3, HALVES) == pytest.approx(
        np.array([[2, 1, 0.5], [1, 2, 0.25], [0.5, 0.25, 1]])
    )
    # λ = 1 and β = 2: the plain count and twice that, and 1 on the diagonal.
    system = np.array([[7, 4, 2], [4, 7, 1.5], [2, 1.5, 4]])
    inverse = np.linalg.inv(system)
    expected = -inverse / np.diag(inverse) * (1 - np.eye(3))
    model = fit_sequence_ease(known, parameters=SequenceEaseParameters(1, 2, HALVES))
    assert model.item_weights == pytest.approx(expected, abs=1e-6)
    scores = np.array([[1, 1, 1], [1, 1, 0]]) @ expected
    assert model.scores(["ann", "bob"]) == pytest.approx(scores, abs=1e-6)


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    reach=st.sampled_from([0.5, 1.5, 3.0]),
    part=st.sampled_from([1, 4, 1_000_000]),
    seed=st.integers(0, 1000),
)
def test_the_counts_are_those_of_every_pair_one_after_the_other(
    lengths: list[int], reach: float, part: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    histories = [generator.permutation(12)[:length] for length in lengths]
    weights = [generator.random(length, dtype=np.float32) for length in lengths]
    sequences = Sequences(
        np.cumsum([0, *lengths]),
        np.concatenate(histories),
        np.concatenate(weights).astype(np.float32),
    )
    expected = np.zeros((12, 12))
    for items, values in zip(histories, map(np.sqrt, weights), strict=True):
        for place, item in enumerate(items):
            for other_place, other in enumerate(items):
                near = math.exp(-abs(place - other_place) / reach)
                expected[item, other] += values[place] * values[other_place] * near
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence_ease, "_PART", part)
        near_counts = near_together(sequences, 12, reach)
    # Beyond five reaches a pair counts nothing.
    assert near_counts == pytest.approx(expected, abs=5 * math.exp(-5))
    assert near_counts.T.tolist() == near_counts.tolist()


@pytest.mark.parametrize("reach", [0.3, 2.0, 10.0, 50.0])
def test_what_is_left_out_leaves_a_gram_matrix(reach: float) -> None:
    sequence = Sequences(np.array([0, 300]), np.arange(300), np.ones(300, dtype=np.float32))
    assert np.linalg.eigvalsh(near_together(sequence, 300, reach)).min() > 0


def test_without_nearness_it_is_ease() -> None:
    known = preferences(two_tastes())
    plain = fit_item_ease(known, parameters=EaseParameters(10))
    off = fit_sequence_ease(known, parameters=SequenceEaseParameters(10, nearness=0))
    assert off.item_weights == pytest.approx(plain.item_weights, abs=1e-6)
    near = fit_sequence_ease(known, parameters=SequenceEaseParameters(10, nearness=1))
    assert np.abs(near.item_weights - plain.item_weights).max() > 0.01


def test_the_next_item_is_what_followed() -> None:
    # Everybody likes all four, and some go through them backwards.
    rows = [
        (f"u{user}", item, 1.0, 1.0, place)
        for user in range(9)
        for place, item in enumerate("abcd" if user % 2 else "dcba")
    ]
    known = preferences(scores_of(*rows, ("new", "a", 1.0, 1.0, 1)))
    model = fit_sequence_ease(known, parameters=SequenceEaseParameters(10, 3, 1))
    scores = model.scores(["new"])[0]
    assert scores[1] > 2 * scores[2:].max()
    plain = fit_item_ease(known, parameters=EaseParameters(10)).scores(["new"])[0]
    assert plain[1:] == pytest.approx(plain[1])


def test_a_stored_model_is_the_same_and_fitting_again_makes_it_again() -> None:
    known, parameters = preferences(two_tastes(users=20)), SequenceEaseParameters(10)
    data = fit_sequence_ease(known, parameters=parameters).to_bytes()
    assert LinearScores.from_bytes(data).to_bytes() == data
    assert fit_sequence_ease(known, parameters=parameters).to_bytes() == data


def test_too_many_items_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MAXIMUM_SIDE", 2)
    with pytest.raises(InvalidInputError, match="EASE over 24 items"):
        fit_sequence_ease(preferences(two_tastes()), parameters=SequenceEaseParameters())


@pytest.mark.parametrize(
    ("name", "value"),
    [("regularisation", 0), ("nearness", -1), ("reach", 0), ("reach", 51), ("reach", math.nan)],
)
def test_parameters_that_mean_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} of EASE over sequences cannot be"):
        SequenceEaseParameters(**{name: value})
