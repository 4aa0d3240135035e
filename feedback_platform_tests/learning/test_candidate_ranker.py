from __future__ import annotations

import numpy as np
import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import ranking
from feedback_platform.learning.candidate_ranker import CandidateRanker
from feedback_platform.learning.ranker import RankerParameters, fit_ranker
from feedback_platform.learning.ranker_history import history
from feedback_platform.learning.ranking import pair_matrix
from feedback_platform.learning.sources import TrainingInput, item_ease, popularity
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, at
from feedback_platform_tests.learning.ranker_frames import SOURCES, chains, drawn_examples

EXAMPLES, _ = drawn_examples()
RANKER, HOW = fit_ranker(EXAMPLES, SOURCES, seed=1, choices=(RankerParameters(trees=20),))
DATA = TrainingInput(chains(), NO_ITEMS, NO_USERS, 0.5)
MODELS = (item_ease(20).fit(DATA, 1), popularity().fit(DATA, 1))
KNOWN = history(DATA.scores, NO_ITEMS, DATA.preferences.item_ids)
USERS = ["u000", "u001", "u002"]
NOW = dict.fromkeys(USERS, at(200))
SEEN = pair_matrix(DATA.scores, USERS, KNOWN.item_ids)


@pytest.mark.parametrize("cells", [1, 4_000_000], ids=["user by user", "in one block"])
def test_the_best_candidates_of_each_user_are_those_that_a_request_gets(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "_BLOCK_CELLS", cells)
    ranker = CandidateRanker(dict(zip(SOURCES, MODELS, strict=True)), RANKER, KNOWN)
    is_listable = np.arange(40) % 5 > 0
    items, chances = ranker.best(NOW, SEEN, 30, is_listable=is_listable)
    asked = list(ranker.candidates(NOW, SEEN, is_listable=is_listable))
    for row, candidates in enumerate(asked):
        ranked, probabilities = ranker.rank(candidates)
        assert 20 < len(ranked) < 30
        assert items[row].tolist() == [*ranked.tolist(), *[-1] * (30 - len(ranked))]
        assert chances[row, : len(ranked)].tolist() == probabilities.tolist()
        assert not np.isin(ranked, SEEN[[row]].indices).any()
        assert is_listable[ranked].all()
    shorter, _ = ranker.best(NOW, SEEN, 5, is_listable=is_listable)
    assert shorter.tolist() == items[:, :5].tolist()


def test_a_ranker_ranks_no_candidates_of_other_sources() -> None:
    with pytest.raises(InvalidInputError, match="has learned from first, second, and cannot"):
        CandidateRanker({"second": MODELS[1], "first": MODELS[0]}, RANKER, KNOWN)
