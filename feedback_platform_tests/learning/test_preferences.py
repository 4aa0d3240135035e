from __future__ import annotations

import pytest

from feedback_platform.errors import NothingToLearnError
from feedback_platform.learning.preferences import preferences
from feedback_platform_tests.learning.frames import scores_of

SCORES = scores_of(
    ("bob", "b", 1.0, 0.5, 1),
    ("ann", "a", 0.5, 0.6, 1),
    ("ann", "b", 0.1, 1.0, 1),  # speaks against the item
    ("cat", "a", 0.9, 0.0, 1),  # nobody trusts it
)


def test_weights_are_confidence_times_score_over_their_mean() -> None:
    learned = preferences(SCORES, ["z"])
    assert learned.user_ids == ("ann", "bob")
    assert learned.item_ids == ("a", "b", "z")
    # .5 · .6 = .3 and 1 · .5 = .5, over their mean .4.
    assert learned.weights.toarray().tolist() == [
        pytest.approx([0.75, 0, 0]),
        pytest.approx([0, 1.25, 0]),
    ]


def test_nothing_positive_is_nothing_to_learn() -> None:
    with pytest.raises(NothingToLearnError, match="0 of 1 scores"):
        preferences(scores_of(("ann", "a", 0.1, 1, 1)), ["b"])
    with pytest.raises(NothingToLearnError, match="over 1 items"):
        preferences(scores_of(("ann", "a", 0.9, 1, 1)))
