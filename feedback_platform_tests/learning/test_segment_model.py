from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import pack
from feedback_platform.learning.segment_clustering import KMEANS
from feedback_platform.learning.segment_model import SegmentModel
from feedback_platform.learning.user_matrix import user_matrix
from feedback_platform_tests.learning.affinities import segmented


def test_the_stored_model_assigns_users_as_training_did() -> None:
    found = segmented(KMEANS)
    model = SegmentModel.from_bytes(found.model.to_bytes())
    labels, distances = model.assign(found.matrix)
    assert (labels == found.labels).all()
    assert distances == pytest.approx(found.distances, abs=1e-6)


def test_a_new_user_with_new_categories_is_assigned_too() -> None:
    found = segmented(KMEANS)
    new = pl.DataFrame(
        {
            "user_id": ["n", "n", "o"],
            "category": ["reports", "new", "new"],
            "affinity": [0.8, 0.2, 1],
        }
    )
    labels, distances = found.model.assign(user_matrix(new))
    assert found.names[labels[0]] == "Reports"
    assert distances[1] > 1


def test_a_damaged_segment_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="segment model"):
        SegmentModel.from_bytes(b"nonsense")


CENTRES = np.eye(2, dtype=np.float32)


def test_the_numbers_of_the_segments_are_stored() -> None:
    model = SegmentModel(("x", "y"), CENTRES, (2, 5), 9)
    stored = SegmentModel.from_bytes(model.to_bytes())
    assert (stored.ids, stored.next_id) == ((2, 5), 9)


def test_a_model_from_before_there_were_numbers_has_those_of_its_rows() -> None:
    stored = SegmentModel.from_bytes(pack({"centres": CENTRES}, {"categories": ("x", "y")}))
    assert (stored.ids, stored.next_id) == ((0, 1), 2)


@pytest.mark.parametrize(
    "numbers", [[3, 3, 4], [2, 1, 4], [0, 5, 5], [-1, 0, 1], [0, 1], [0.0, 1.0, 2.0]]
)
def test_numbers_that_cannot_be_are_refused(numbers: list[float]) -> None:
    arrays = {"centres": CENTRES, "numbers": np.array(numbers)}
    with pytest.raises(InvalidInputError, match="segment model's numbers"):
        SegmentModel.from_bytes(pack(arrays, {"categories": ("x", "y")}))
