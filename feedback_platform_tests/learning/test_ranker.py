from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.evaluation import difference, evaluate
from feedback_platform.learning.ranker import (
    Ranker,
    RankerParameters,
    fit_ranker,
)
from feedback_platform.learning.ranker_features import Candidates
from feedback_platform.learning.ranker_history import history
from feedback_platform.learning.ranker_lists import examples_of, ranked_at
from feedback_platform.learning.ranker_trees import Trees
from feedback_platform.learning.ranking import Scorer
from feedback_platform.learning.sources import TrainingInput, item_ease, popularity
from feedback_platform.learning.training_data import TimeSplit, split_per_user
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, at
from feedback_platform_tests.learning.ranker_frames import SOURCES, chains, drawn_examples

QUICK = (RankerParameters(trees=40, leaves=4, learning_rate=0.1),)
EXAMPLES, TRUTH = drawn_examples()
RANKER, FIT = fit_ranker(EXAMPLES, SOURCES, seed=1, choices=QUICK)
LEAF = np.array([0.5], dtype=np.float32)
LIBRARY = (item_ease(20), popularity())


def fitted(split: TimeSplit) -> dict[str, Scorer]:
    data = TrainingInput(split.train, NO_ITEMS, NO_USERS, split.threshold)
    return {source.name: source.fit(data, 1) for source in LIBRARY}


def test_the_ranker_finds_what_no_source_can_say() -> None:
    outer = split_per_user(chains(), holdout=0.25)
    inner = split_per_user(outer.train, holdout=0.25)
    before = fitted(inner)
    ids = before["popularity"].item_ids
    examples = examples_of(inner, before, history(inner.train, NO_ITEMS, ids), size=30)
    ranker, _ = fit_ranker(examples, list(before), seed=1, choices=QUICK)
    sources = fitted(outer)
    lists = ranked_at(outer, sources, history(outer.train, NO_ITEMS, ids), ranker)
    found = evaluate(lists, outer, 3)
    for source in sources.values():
        assert difference(found, evaluate(source, outer, 3), seed=1).low > 0.05


def test_probabilities_are_those_of_the_truth() -> None:
    found = RANKER.calibration.probabilities(RANKER.trees.predict(EXAMPLES.rows))
    assert float(np.abs(found - TRUTH).mean()) < 0.06
    # The truth errs by about as much in bins of 60: √(0.25 · 0.75 / 60) · 0.8 = 0.045.
    assert FIT.calibration_error < 0.06
    assert FIT.rate == pytest.approx(TRUTH.mean(), abs=0.02)


def test_held_out_users_choose_among_the_parameters() -> None:
    useless = RankerParameters(trees=1, leaves=2, rows_a_leaf=2_900)
    _, fit = fit_ranker(EXAMPLES, SOURCES, seed=1, choices=(useless, *QUICK))
    assert fit.parameters == QUICK[0]
    assert fit.ndcg[QUICK[0]] > fit.ndcg[useless]


def test_equal_examples_and_seeds_make_equal_bytes() -> None:
    again, _ = fit_ranker(EXAMPLES, SOURCES, seed=1, choices=QUICK)
    assert again.to_bytes() == RANKER.to_bytes()
    other, _ = fit_ranker(EXAMPLES, SOURCES, seed=2, choices=QUICK)
    assert other.to_bytes() != RANKER.to_bytes()


def request(size: int = 5) -> Candidates:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(size, len(SOURCES))).astype(np.float32)
    return Candidates("u000", at(30), generator.permutation(40)[:size], scores)


KNOWN = history(chains(), NO_ITEMS, [f"i{item:03d}" for item in range(40)])


def test_a_ranker_read_back_ranks_the_same() -> None:
    again = Ranker.from_bytes(RANKER.to_bytes())
    items, probabilities = RANKER.rank(KNOWN, request())
    same, same_probabilities = again.rank(KNOWN, request())
    assert items.tolist() == same.tolist()
    assert probabilities == pytest.approx(same_probabilities, abs=1e-6)
    assert sorted(items.tolist()) == sorted(request().items.tolist())
    assert (np.diff(probabilities) <= 0).all()
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_candidates_whose_features_are_equal_keep_the_order_of_the_items() -> None:
    # Trees of one leaf say the same of all.
    none, floats = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    one = Trees(RANKER.trees.features, np.array([1]), none, none, none, none, floats, LEAF)
    items, _ = replace(RANKER, trees=one).rank(KNOWN, request())
    assert items.tolist() == sorted(request().items.tolist())


def test_no_candidates_make_an_empty_list() -> None:
    items, probabilities = RANKER.rank(KNOWN, request(0))
    assert len(items) == len(probabilities) == 0


def test_the_scores_of_other_sources_are_refused() -> None:
    three = replace(request(), scores=np.zeros((5, 3), dtype=np.float32))
    with pytest.raises(InvalidInputError, match="2 sources' scores, first, second"):
        RANKER.rank(KNOWN, three)


def test_damaged_bytes_are_refused() -> None:
    data = RANKER.to_bytes()
    generator = np.random.default_rng(0)
    for place in generator.integers(0, len(data), 60).tolist():
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        try:
            again = Ranker.from_bytes(bytes(damaged))
        except InvalidInputError:
            continue
        # What the archive does not read is not its content.
        assert again.trees.text == RANKER.trees.text
    for size in (0, 10, len(data) // 2):
        with pytest.raises(InvalidInputError):
            Ranker.from_bytes(data[:size])


def test_a_ranker_of_other_features_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = RANKER.to_bytes()
    monkeypatch.setattr("feedback_platform.learning.ranker.FEATURES", {"other": "something else"})
    with pytest.raises(InvalidInputError, match="train it again"):
        Ranker.from_bytes(data)


def test_what_teaches_nothing_is_refused() -> None:
    few = EXAMPLES.of_groups(np.arange(200) < 19)
    with pytest.raises(NothingToLearnError, match="19 users"):
        fit_ranker(few, SOURCES, seed=1)
    nothing = replace(EXAMPLES, labels=np.zeros_like(EXAMPLES.labels))
    with pytest.raises(NothingToLearnError, match="0 right candidates"):
        fit_ranker(nothing, SOURCES, seed=1)
    with pytest.raises(InvalidInputError, match="features"):
        fit_ranker(EXAMPLES, ("first",), seed=1)
    with pytest.raises(InvalidInputError, match="choose from"):
        fit_ranker(EXAMPLES, SOURCES, seed=1, choices=())


@pytest.mark.parametrize("change", [{"trees": 0}, {"leaves": 1}, {"learning_rate": -1.0}])
def test_parameters_that_train_nothing_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match="ranker's"):
        RankerParameters(**change)
