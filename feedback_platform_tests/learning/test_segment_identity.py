from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.learning.segment_identity import (
    NOWHERE,
    PreviousSegments,
    continued,
)
from feedback_platform.learning.segment_model import SegmentModel
from feedback_platform.learning.user_matrix import UserMatrix

Matching = dict[int, int]


def matched(*counts: tuple[int, int, int]) -> Matching:
    """Match groups by rows of: users, previous number, group."""
    before = [was for users, was, _ in counts for _ in range(users)]
    groups = [now for users, _, now in counts for _ in range(users)]
    return continued(np.array(before, np.int64), np.array(groups, np.int64))


def test_a_group_of_the_same_users_goes_on() -> None:
    assert matched((50, 7, 0), (30, 4, 1)) == {0: 7, 1: 4}


def test_the_larger_part_of_a_split_segment_goes_on() -> None:
    assert matched((60, 3, 0), (40, 3, 1)) == {0: 3}


def test_one_of_two_halves_goes_on_and_of_three_thirds_none() -> None:
    assert matched((50, 3, 0), (50, 3, 1)) == {0: 3}
    assert matched((30, 3, 0), (30, 3, 1), (30, 3, 2)) == {}


def test_merged_segments_go_on_as_the_larger_one() -> None:
    assert matched((40, 2, 0), (60, 5, 0)) == {0: 5}


def test_users_who_were_nowhere_make_a_group_of_their_own() -> None:
    assert matched((50, 1, 0), (200, NOWHERE, 1)) == {0: 1}
    # Seen as a whole the group is another one now: 50 of 151 are no more than a third.
    assert matched((50, 1, 0), (101, NOWHERE, 0)) == {}


def test_the_largest_total_is_taken_rather_than_the_best_pair_first() -> None:
    # Jaccard by hand: (0, 8) 50/90, (0, 9) 40/100, (1, 8) 40/100, (1, 9) none.
    assert matched((50, 8, 0), (40, 9, 0), (40, 8, 1)) == {0: 9, 1: 8}


def test_a_pair_that_is_too_unlike_pushes_no_other_aside() -> None:
    # Together (0, 9) 30/100 and (1, 8) 30/100 are more than (0, 8) 50/110, but unlike.
    assert matched((50, 8, 0), (30, 9, 0), (30, 8, 1), (20, 9, 2)) == {0: 8, 2: 9}


LABELS = st.lists(
    st.tuples(st.sampled_from([NOWHERE, 0, 1, 2, 5]), st.integers(0, 4)), min_size=1, max_size=40
)


@given(users=LABELS, numbers=st.permutations(range(5)), ids=st.permutations([0, 1, 2, 5]))
def test_other_labels_for_the_same_users_change_nothing(
    users: list[tuple[int, int]], numbers: list[int], ids: list[int]
) -> None:
    before, groups = (np.array(column, np.int64) for column in zip(*users, strict=True))
    other_id = dict(zip([0, 1, 2, 5], ids, strict=True)) | {NOWHERE: NOWHERE}

    straight = continued(before, groups)
    renamed = continued(
        np.array([other_id[was] for was in before.tolist()], np.int64),
        np.array([numbers[now] for now in groups.tolist()], np.int64),
    )

    assert renamed == {numbers[group]: other_id[was] for group, was in straight.items()}


@given(users=LABELS)
def test_no_number_goes_to_two_groups_and_none_is_made_up(users: list[tuple[int, int]]) -> None:
    before, groups = (np.array(column, np.int64) for column in zip(*users, strict=True))

    kept = continued(before, groups)

    assert len(set(kept.values())) == len(kept)
    assert set(kept.values()) <= set(before.tolist()) - {NOWHERE}
    assert kept.keys() <= set(groups.tolist())


def previous() -> PreviousSegments:
    """Segment 4 likes x and segment 6 likes y; the user farthest from a centre is at 0.3."""
    return PreviousSegments(
        model=SegmentModel(("x", "y"), np.eye(2, dtype=np.float32), (4, 6), 9),
        names={4: "X", 6: "Y"},
        assignments=pl.DataFrame(
            {
                "user_id": ["a", "b", "c", "d"],
                "segment_id": [4, 4, 6, 6],
                "distance": [0.1, 0.3, 0.1, 0.3],
            }
        ),
    )


def whereabouts(**shares_of_x: float) -> list[int]:
    users = tuple(sorted(shares_of_x))
    shares = np.array([[shares_of_x[user], 1 - shares_of_x[user]] for user in users])
    return list(previous().whereabouts(UserMatrix(users, ("x", "y"), shares)))


def test_who_was_there_counts_for_their_segment_whatever_they_like_now() -> None:
    assert whereabouts(a=0.0, d=1.0) == [4, 6]


def test_who_is_new_counts_for_the_nearest_segment_within_its_reach() -> None:
    # The square root of 0.96 is 0.98, so the distance to the centre is √(0.02² + 0.04) = 0.2.
    assert whereabouts(new=0.96) == [4]
    assert whereabouts(new=0.04) == [6]


def test_who_is_new_and_unlike_anybody_counts_for_none() -> None:
    assert whereabouts(new=0.6) == [NOWHERE]


def test_a_previous_segment_without_users_reaches_nobody() -> None:
    empty = PreviousSegments(previous().model, {}, previous().assignments.clear())
    matrix = UserMatrix(("new",), ("x", "y"), np.array([[1.0, 0.0]]))
    assert empty.whereabouts(matrix).tolist() == [NOWHERE]
