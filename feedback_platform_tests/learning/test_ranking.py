from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.learning import ranking
from feedback_platform.learning.popularity import Popularity

FLOATS = st.sampled_from([-3e38, -2.5, -1e-40, -0.0, 0.0, 1e-40, 0.5, 1.0, 3e38])
MATRICES = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=FLOATS)


def test_best_unseen_items_come_first_and_ties_go_to_the_lower_index() -> None:
    scores = np.array([[0.1, 0.9, 0.9, -0.5], [0.0, -0.0, 2.0, 1.0]], dtype=np.float32)
    seen = sparse.csr_array(np.array([[1, 0, 0, 0], [0, 0, 1, 0]]))
    assert ranking.top_items(scores, seen, 3).tolist() == [[1, 2, 3], [3, 0, 1]]


def test_missing_places_are_marked() -> None:
    scores = np.array([[0.1, 0.9]], dtype=np.float32)
    seen = sparse.csr_array(np.array([[0, 1]]))
    assert ranking.top_items(scores, seen, 3).tolist() == [[0, -1, -1]]
    assert ranking.top_items(scores[:, :0], None, 2).tolist() == [[-1, -1]]


@given(scores=MATRICES, k=st.integers(1, 6))
def test_lists_agree_with_a_plain_stable_sort(scores: NDArray[np.float32], k: int) -> None:
    expected = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :k]
    assert (ranking.top_items(scores, None, k)[:, : expected.shape[1]] == expected).all()


@given(scores=MATRICES, data=st.data())
def test_no_seen_item_is_listed_and_all_others_are(
    scores: NDArray[np.float32], data: st.DataObject
) -> None:
    seen = data.draw(hnp.arrays(np.bool_, scores.shape))
    items = scores.shape[1]
    for row, listed in enumerate(ranking.top_items(scores, sparse.csr_array(seen), items).tolist()):
        unseen = np.flatnonzero(~seen[row]).tolist()
        assert sorted(listed) == [-1] * (items - len(unseen)) + unseen
        assert listed[: len(unseen)] == [item for item in listed if item >= 0]


def test_blocks_give_the_same_lists_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = Popularity(("a", "b", "c"), np.array([1, 3, 2], dtype=np.float32))
    users = ["u", "v", "w", "x", "y"]
    seen = ranking.pair_matrix(
        pl.DataFrame({"user_id": ["v", "y"], "item_id": ["b", "c"]}), users, scorer.item_ids
    )
    whole = ranking.rank_users(scorer, users, seen, 2)
    monkeypatch.setattr(ranking, "_BLOCK_CELLS", 6)
    assert ranking.rank_users(scorer, users, seen, 2).tolist() == whole.tolist()
    assert whole.tolist() == [[1, 2], [2, 0], [1, 2], [1, 2], [1, 0]]
    assert ranking.rank_users(scorer, [], None, 2).shape == (0, 2)


def test_pairs_of_unlisted_users_and_items_are_left_out() -> None:
    pairs = pl.DataFrame({"user_id": ["u", "u", "x"], "item_id": ["b", "z", "a"], "w": [2.0, 3, 4]})
    matrix = ranking.pair_matrix(pairs, ["t", "u"], ["a", "b"], values="w")
    assert matrix.toarray().tolist() == [[0, 0], [0, 2]]
