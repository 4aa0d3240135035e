from __future__ import annotations

from collections.abc import Callable

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.ranker_trees import Trees


def trained() -> tuple[lgb.Booster, NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    rows = generator.random((2000, 5)).astype(np.float32)
    rows[::7, 1] = np.nan
    labels = (rows[:, 0] + rows[:, 2] * rows[:, 3] > 0.8).astype(np.float64)
    settings = {"objective": "binary", "num_leaves": 6, "verbosity": -1, "num_threads": 1}
    return lgb.train(settings, lgb.Dataset(rows, labels), 20), rows


BOOSTER, ROWS = trained()
TREES = Trees.of(BOOSTER)


def walked(trees: Trees, row: NDArray[np.float32]) -> float:
    """The sum of the leaves, split by split."""
    total, splits, leaves = 0.0, 0, 0
    for size in trees.leaves.tolist():
        place = 0 if size > 1 else -1
        while place >= 0:
            split = splits + place
            value = row[trees.split_features[split]]
            decision = int(trees.decisions[split])
            if np.isnan(value) and decision < 8:
                value = np.float32(0)
            is_left = bool(decision & 2) if np.isnan(value) else value <= trees.thresholds[split]
            place = int((trees.left if is_left else trees.right)[split])
        total += float(trees.values[leaves - place - 1])
        splits, leaves = splits + size - 1, leaves + size
    return total


def test_the_arrays_say_what_the_trained_model_says() -> None:
    assert TREES.predict(ROWS) == pytest.approx(BOOSTER.predict(ROWS, raw_score=True), abs=1e-6)


def test_the_text_means_what_the_arrays_say() -> None:
    expected = [walked(TREES, row) for row in ROWS[:200]]
    assert TREES.predict(ROWS[:200]) == pytest.approx(expected, abs=1e-9)


def test_a_threshold_rounded_down_splits_the_same_numbers() -> None:
    # Features that lie exactly on the splits' edges, as 32 bits have them.
    edges = np.repeat(TREES.thresholds[:200, None], 5, axis=1)
    above = np.nextafter(edges, np.float32(np.inf))
    for rows in (edges, above):
        assert TREES.predict(rows) == pytest.approx(BOOSTER.predict(rows, raw_score=True), abs=1e-6)


def test_a_tree_of_one_leaf_is_a_number() -> None:
    none, floats = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    values = np.array([0.25, 0.5], dtype=np.float32)
    trees = Trees(3, np.array([1, 1]), none, none, none, none, floats, values)
    assert trees.predict(np.zeros((2, 3), dtype=np.float32)).tolist() == [0.75, 0.75]


def test_trees_read_back_are_the_same() -> None:
    again = Trees.read(ArrayReader(pack(TREES.arrays, {}), "ranker"), 5)
    assert again.text == TREES.text
    assert again.predict(ROWS).tolist() == TREES.predict(ROWS).tolist()


def _changed(name: str, place: int, value: float) -> Callable[[], Trees]:
    def build() -> Trees:
        arrays = {key: array.copy() for key, array in TREES.arrays.items()}
        arrays[name].flat[place] = value
        return Trees.read(ArrayReader(pack(arrays, {}), "ranker"), 5)

    return build


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_changed("left", 0, 0), "its branches cross"),
        (_changed("left", 1, 1), "its branches cross"),
        (_changed("right", 0, 10**12), "its branches cross"),
        (_changed("right", 0, -(10**12)), "its branches cross"),
        (_changed("split_features", 3, 5), "none of 5 features"),
        (_changed("split_features", 3, -1), "none of 5 features"),
        (_changed("decisions", 2, 1), "no known kind"),
        (_changed("leaves", 0, 10**9), "absurd leaves"),
        (_changed("leaves", 0, 0), "absurd leaves"),
        (_changed("leaves", 0, 5), "shape"),
        (_changed("thresholds", 0, np.nan), "not finite"),
        (_changed("values", 0, np.inf), "not finite"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_trees_are_refused(build: Callable[[], Trees], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        build()


@given(
    name=st.sampled_from(sorted(TREES.arrays)),
    place=st.integers(0, 19),
    value=st.integers(-12, 12),
)
def test_whatever_passes_the_checks_can_be_predicted_with(
    name: str, place: int, value: int
) -> None:
    try:
        trees = _changed(name, place, value)()
    except InvalidInputError:
        return
    assert trees.predict(ROWS[:5]) == pytest.approx([walked(trees, row) for row in ROWS[:5]])


def test_a_split_between_missing_and_not_is_stored_and_read_back() -> None:
    rows = np.zeros((400, 1), dtype=np.float32)
    rows[:200] = np.nan
    data = lgb.Dataset(rows, np.arange(400) < 200, params={"verbosity": -1})
    settings = {"objective": "binary", "verbosity": -1, "num_leaves": 2, "min_data_in_leaf": 5}
    trees = Trees.of(lgb.train(settings, data, 3))
    assert len(trees.thresholds) == 3
    read = Trees.read(ArrayReader(pack(trees.arrays, {}), "ranker"), 1)
    missing, zero = read.predict(np.array([[np.nan], [0]], dtype=np.float32))
    assert missing > 0 > zero
