from __future__ import annotations

import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.user_matrix import user_matrix
from feedback_platform_tests.learning.affinities import affinities_of


def test_users_without_affinities_are_left_out_and_rows_sum_to_1() -> None:
    matrix = user_matrix(
        pl.DataFrame(
            {"user_id": ["a", "a", "b"], "category": ["x", "y", "x"], "affinity": [1, 3, 0]}
        )
    )
    assert matrix.user_ids == ("a",)
    assert matrix.shares.tolist() == [[0.25, 0.75]]


def test_malformed_affinities_are_refused() -> None:
    frame = affinities_of({"a": [1.0, 0, 0, 0]})
    with pytest.raises(InvalidInputError, match="no column category"):
        user_matrix(frame.drop("category"))
    with pytest.raises(InvalidInputError, match="negative"):
        user_matrix(frame.with_columns(affinity=-1.0))
    with pytest.raises(InvalidInputError, match="more than once"):
        user_matrix(pl.concat([frame, frame]))
    with pytest.raises(NothingToLearnError):
        user_matrix(frame.head(0))
