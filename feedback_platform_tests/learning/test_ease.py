from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import ease
from feedback_platform.learning.arrays import pack
from feedback_platform.learning.ease import EaseParameters, LinearScores
from feedback_platform.learning.preferences import Preferences
from feedback_platform_tests.learning.frames import two_tastes
from feedback_platform_tests.learning.test_factorisation import ODD_IDS

WEIGHTS = hnp.arrays(
    np.float32, st.tuples(st.integers(2, 6), st.integers(2, 6)), elements=st.sampled_from([0, 1, 4])
)


def learned(weights: NDArray[np.float32]) -> Preferences:
    users, items = weights.shape
    return Preferences(
        tuple(f"u{user}" for user in range(users)),
        tuple(f"i{item}" for item in range(items)),
        sparse.csr_array(weights),
        np.zeros(np.count_nonzero(weights), dtype=np.int64),
    )


def ridge(history: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """Each column regressed on the others, one after the other."""
    columns = history.shape[1]
    weights = np.zeros((columns, columns))
    for column in range(columns):
        others = [other for other in range(columns) if other != column]
        known = history[:, others]
        system = known.T @ known + strength * np.eye(len(others))
        weights[others, column] = np.linalg.solve(system, known.T @ history[:, column])
    return weights


@given(weights=WEIGHTS, strength=st.sampled_from([0.5, 3.0, 100.0]))
def test_each_item_is_a_ridge_regression_on_the_others(
    weights: NDArray[np.float32], strength: float
) -> None:
    parameters = EaseParameters(strength)
    history = np.sqrt(weights.astype(np.float64))
    model = ease.fit_item_ease(learned(weights), parameters=parameters)
    assert model.item_weights == pytest.approx(ridge(history, strength), abs=1e-5)
    scores = model.scores(model.user_ids)
    assert scores == pytest.approx(history @ ridge(history, strength), abs=1e-4)


@given(weights=WEIGHTS, strength=st.sampled_from([0.5, 3.0, 100.0]))
def test_each_user_is_a_ridge_regression_on_the_others(
    weights: NDArray[np.float32], strength: float
) -> None:
    history = np.sqrt(weights.astype(np.float64))
    model = ease.fit_user_ease(learned(weights), parameters=EaseParameters(strength))
    expected = ridge(history.T, strength).T @ history
    assert model.scores(model.user_ids) == pytest.approx(expected, abs=1e-4)


def test_two_items_worked_by_hand() -> None:
    # Both users like both items: XᵀX is all 2, so each weight is 2 / (2 + 1).
    model = ease.fit_item_ease(
        learned(np.ones((2, 2), dtype=np.float32)), parameters=EaseParameters(1)
    )
    assert model.item_weights.tolist() == [pytest.approx([0, 2 / 3]), pytest.approx([2 / 3, 0])]


def test_a_user_nobody_knows_gets_what_the_mean_history_says() -> None:
    weights = np.array([[1, 1, 0], [0, 1, 1]], dtype=np.float32)
    for fit in (ease.fit_item_ease, ease.fit_user_ease):
        model = fit(learned(weights), parameters=EaseParameters(1))
        assert model.scores(["who", "u0"])[1].tolist() == model.scores(["u0"])[0].tolist()
    items = ease.fit_item_ease(learned(weights), parameters=EaseParameters(1))
    mean = items.scores(["u0", "u1"]).mean(axis=0)
    assert items.scores(["who"])[0] == pytest.approx(mean)
    users = ease.fit_user_ease(learned(weights), parameters=EaseParameters(1))
    assert users.scores(["who"])[0].tolist() == [0.5, 1, 0.5]


def test_a_side_too_large_for_a_dense_inverse_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MAXIMUM_SIDE", 2)
    wide = learned(np.ones((2, 3), dtype=np.float32))
    ease.fit_user_ease(wide, parameters=EaseParameters())
    with pytest.raises(InvalidInputError, match="EASE over 3 items"):
        ease.fit_item_ease(wide, parameters=EaseParameters())
    with pytest.raises(InvalidInputError, match="EASE over 3 users"):
        ease.fit_user_ease(learned(np.ones((3, 2), dtype=np.float32)), parameters=EaseParameters())


def test_no_regularisation_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="regularisation cannot be 0"):
        EaseParameters(0)


@pytest.mark.parametrize("fit", [ease.fit_item_ease, ease.fit_user_ease])
def test_a_stored_model_scores_the_same(fit: object) -> None:
    weights = np.array([[1, 2, 0, 0, 0, 1], [0, 1, 1, 0, 1, 0]], dtype=np.float32)
    assert callable(fit)
    known = Preferences(
        ("ann", "bob"), ODD_IDS, sparse.csr_array(weights), np.zeros(6, dtype=np.int64)
    )
    model = fit(known, parameters=EaseParameters(2))
    data = model.to_bytes()
    back = LinearScores.from_bytes(data)
    assert back.item_ids == ODD_IDS
    assert back.scores(["bob", "who"]).tolist() == model.scores(["bob", "who"]).tolist()
    assert back.to_bytes() == data


def test_parts_that_do_not_fit_are_refused() -> None:
    square, none = np.zeros((2, 2), dtype=np.float32), np.empty((0, 0), dtype=np.float32)
    good = {
        "history_rows": np.array([0]),
        "history_columns": np.array([1]),
        "history_values": np.ones(1, dtype=np.float32),
        "item_weights": square,
        "user_weights": none,
    }
    texts = {"user_ids": ["ann"], "item_ids": ["a", "b"]}
    LinearScores.from_bytes(pack(good, texts))
    for change, message in [
        ({"history_rows": np.array([1])}, "history_rows points outside 0 to 0"),
        ({"history_columns": np.array([-1])}, "history_columns points outside"),
        ({"history_columns": np.array([0, 1])}, "no history"),
        ({"history_rows": np.array([0.0])}, "no list of int64"),
        ({"item_weights": np.zeros((3, 3), dtype=np.float32)}, "item_weights has the shape"),
        ({"item_weights": none}, "user_weights has the shape"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            LinearScores.from_bytes(pack({**good, **change}, texts))


def test_two_tastes_are_told_apart() -> None:
    from feedback_platform.learning.preferences import preferences

    known = preferences(two_tastes())
    is_even = np.array([int(item[1:]) % 2 == 0 for item in known.item_ids])
    for fit in (ease.fit_item_ease, ease.fit_user_ease):
        scores = fit(known, parameters=EaseParameters(10)).scores(["u000", "u001"])
        assert scores[0][is_even].mean() > scores[0][~is_even].max()
        assert scores[1][~is_even].mean() > scores[1][is_even].max()
