from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.learning import ranking
from feedback_platform.learning.reasons import nearest_liked, nearest_likes

LIKES = hnp.arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(2, 7)))


def matrix(rows: list[list[int]]) -> ranking.PairMatrix:
    return sparse.csr_array(np.array(rows, dtype=np.float32))


def test_the_reason_is_the_like_that_shares_most_likers_for_its_own_number() -> None:
    # a is liked by four, b by one, c by both b's and another; the user likes a and b.
    likes = matrix([[1, 0, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1]])
    own = matrix([[1, 1, 0]])
    # a and c share 2 of √(4·2), b and c 1 of √(1·2).
    assert nearest_liked(np.array([[2, -1]]), own, likes).tolist() == [[0, -1]]
    # With another who likes b and c, those share 2 of √(2·3), and a and c 2 of √(4·3).
    more = matrix([*likes.toarray().astype(int).tolist(), [0, 1, 1]])
    assert nearest_liked(np.array([[2, -1]]), own, more).tolist() == [[1, -1]]


def test_where_nobody_likes_both_there_is_no_reason() -> None:
    likes = matrix([[1, 0, 0], [0, 1, 0]])
    own = matrix([[1, 0, 0], [0, 0, 0]])
    assert nearest_liked(np.array([[1, 2], [0, 1]]), own, likes).tolist() == [[-1, -1], [-1, -1]]


def test_equally_near_likes_are_taken_by_order() -> None:
    likes = matrix([[1, 1, 1]])
    assert nearest_liked(np.array([[2]]), matrix([[1, 1, 0]]), likes).tolist() == [[0]]


def test_nobody_to_explain_to_is_no_reason() -> None:
    none = np.empty((0, 3), dtype=np.int64)
    assert nearest_liked(none, sparse.csr_array((0, 3)), matrix([[1, 1, 1]])).shape == (0, 3)


@given(likes=LIKES, data=st.data())
@pytest.mark.parametrize("cells", [1, 4_000_000])
def test_it_is_the_best_of_all_pairs_however_few_are_computed_at_a_time(
    cells: int, likes: NDArray[np.bool_], data: st.DataObject
) -> None:
    people, items = likes.shape
    ranked = data.draw(hnp.arrays(np.int64, (people, 2), elements=st.integers(-1, items - 1)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranking, "_BLOCK_CELLS", cells)
        found = nearest_liked(
            ranked, sparse.csr_array(likes.astype(np.float32)), sparse.csr_array(likes)
        )
    for user, row in enumerate(ranked.tolist()):
        for place, item in enumerate(row):
            shared = {
                own: (likes[:, own] & likes[:, item]).sum()
                / np.sqrt(likes[:, own].sum() * likes[:, item].sum())
                for own in np.flatnonzero(likes[user]).tolist()
                if item >= 0 and (likes[:, own] & likes[:, item]).any()
            }
            chosen = int(found[user, place])
            if shared:
                assert shared[chosen] == pytest.approx(max(shared.values()))
            else:
                assert chosen == -1


@given(likes=LIKES, count=st.integers(1, 4), data=st.data())
def test_the_nearest_likes_are_those_with_the_largest_cosines_in_their_order(
    likes: NDArray[np.bool_], count: int, data: st.DataObject
) -> None:
    people, items = likes.shape
    ranked = data.draw(hnp.arrays(np.int64, (people, 2), elements=st.integers(-1, items - 1)))
    own = sparse.csr_array(likes.astype(np.float32))
    nearest, cosines = nearest_likes(ranked, own, sparse.csr_array(likes), count)
    counts = likes.sum(axis=0)
    for user, row in enumerate(ranked.tolist()):
        for place, item in enumerate(row):
            shares = [
                ((likes[:, liked] & likes[:, item]).sum() / np.sqrt(counts[liked] * counts[item]))
                for liked in np.flatnonzero(likes[user]).tolist()
                if item >= 0 and (likes[:, liked] & likes[:, item]).any()
            ]
            best = sorted(shares, reverse=True)[:count]
            found = nearest[user, place]
            assert cosines[user, place].tolist() == pytest.approx([*best, *[0] * count][:count])
            assert (found >= 0).sum() == len(best) == len(set(found[found >= 0]))
    assert (nearest[:, :, 0] == nearest_liked(ranked, own, sparse.csr_array(likes))).all()
