from __future__ import annotations

from pathlib import Path

import polars as pl

from feedback_platform.learning.evaluation import difference, evaluate
from feedback_platform.learning.ranker import RankerParameters, fit_ranker
from feedback_platform.learning.ranker_history import History, history
from feedback_platform.learning.ranker_lists import examples_of, ranked_at
from feedback_platform.learning.sources import Model, TrainingInput, popularity, user_ease
from feedback_platform.learning.training_data import TimeSplit, split_per_user
from feedback_platform_tests.learning.frames import NO_USERS
from feedback_platform_tests.learning.movielens import movielens_frames

LIBRARY = (user_ease(600), popularity())


def fitted(split: TimeSplit, items: pl.DataFrame) -> tuple[dict[str, Model], History]:
    known_items = items.join(split.train, on="item_id", how="semi")
    data = TrainingInput(split.train, known_items, NO_USERS, split.threshold)
    sources = {source.name: source.fit(data, 1) for source in LIBRARY}
    return sources, history(split.train, known_items, data.preferences.item_ids)


def test_the_ranker_beats_its_best_source_on_movielens(shared_data: Path) -> None:
    scores, items = movielens_frames(shared_data)
    outer = split_per_user(scores)
    inner = split_per_user(outer.train)
    before, known = fitted(inner, items)
    ranker, fit = fit_ranker(
        examples_of(inner, before, known), list(before), seed=1, choices=(RankerParameters(),)
    )
    sources, known = fitted(outer, items)
    found = evaluate(ranked_at(outer, sources, known, ranker), outer)
    alone = [evaluate(each, outer) for each in sources.values()]
    best = max(alone, key=lambda each: each.mean("ndcg"))
    gain = difference(found, best, seed=1)
    assert gain.low > 0
    assert gain.mean > 0.05 * best.mean("ndcg")
    assert fit.calibration_error < 0.02
