from __future__ import annotations

import numpy as np
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


def test_a_users_items_are_in_the_order_of_feedback() -> None:
    learned = preferences(
        scores_of(
            ("ann", "a", 0.9, 1, 3),
            ("ann", "b", 0.1, 1, 2),  # speaks against the item
            ("ann", "c", 0.9, 1, 1),
            ("ann", "d", 0.6, 1, 3),  # in the same instant as a
            ("bob", "d", 0.9, 1, 2),
            ("bob", "a", 0.6, 1, 4),
        )
    )
    sequences = learned.sequences
    assert [learned.item_ids[item] for item in sequences.items] == ["c", "a", "d", "d", "a"]
    assert sequences.bounds.tolist() == [0, 3, 5]
    users = np.array([0, 0, 0, 1, 1])
    assert sequences.weights.tolist() == learned.weights.toarray()[users, sequences.items].tolist()


def test_the_order_of_the_scores_makes_no_difference() -> None:
    first = preferences(SCORES)
    again = preferences(SCORES.reverse())
    assert first.weights.toarray().tolist() == again.weights.toarray().tolist()
    assert first.instants.tolist() == again.instants.tolist()
    assert first.sequences.items.tolist() == again.sequences.items.tolist()
