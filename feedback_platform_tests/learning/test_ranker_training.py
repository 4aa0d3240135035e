from __future__ import annotations

from dataclasses import replace

import numpy as np

from feedback_platform.learning.ensemble import ENSEMBLE
from feedback_platform.learning.ranker import CHOICES, RankerParameters
from feedback_platform.learning.ranker_training import choose_ranker, train_ranker
from feedback_platform_tests.learning.ranker_frames import drawn_examples

EXAMPLES, TRUTH = drawn_examples()
# The truth follows from the first source and a feature; the second source says nothing.
SAYS_NOTHING = ("first", ENSEMBLE)
SAYS_MUCH = (ENSEMBLE, "second")
USELESS = (RankerParameters(trees=1, leaves=2, rows_a_leaf=2_900),)


def test_a_ranker_is_used_where_it_orders_better_than_the_ensemble() -> None:
    ranker, how = choose_ranker([EXAMPLES], SAYS_NOTHING, seed=1)
    assert ranker is not None
    assert how is not None
    assert how.ndcg[how.parameters] > how.alone["first"] > how.alone[ENSEMBLE]
    again = train_ranker([EXAMPLES], SAYS_NOTHING, how.parameters, seed=1)
    assert again is not None
    assert again.to_bytes() == ranker.to_bytes()


def test_a_ranker_that_orders_no_better_is_none_and_its_figures_are_kept() -> None:
    ranker, how = choose_ranker([EXAMPLES], SAYS_MUCH, seed=1, choices=USELESS)
    assert ranker is None
    assert how is not None
    assert how.ndcg[how.parameters] <= how.alone[ENSEMBLE]


def test_a_ranker_that_is_better_by_less_than_its_error_is_none() -> None:
    # The truth itself as the ensemble: no ranker orders better, though one of many may seem to.
    knowing = replace(EXAMPLES, rows=EXAMPLES.rows.copy())
    knowing.rows[:, 0] = TRUTH
    sources = (ENSEMBLE, "second")
    taken = 0
    for seed in range(8):
        ranker, how = choose_ranker([knowing], sources, seed=seed)
        assert how is not None
        assert how.errors[ENSEMBLE] > 0
        taken += ranker is not None
    assert taken <= 1


def test_lessons_that_teach_nothing_make_no_ranker() -> None:
    few = EXAMPLES.of_groups(np.arange(200) < 10)
    assert choose_ranker([few], SAYS_NOTHING, seed=1) == (None, None)
    assert choose_ranker([], SAYS_NOTHING, seed=1) == (None, None)
    assert train_ranker([few], SAYS_NOTHING, CHOICES[0], seed=1) is None
