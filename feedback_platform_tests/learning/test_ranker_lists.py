from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.ranker_features import FEATURES, Candidates, features
from feedback_platform.learning.ranker_history import history
from feedback_platform.learning.ranker_lists import (
    LISTS_SCHEMA,
    examples_of,
    examples_shown,
    instants_of,
)
from feedback_platform.learning.ranking import Scorer
from feedback_platform.learning.sources import TrainingInput, item_ease, popularity
from feedback_platform.learning.training_data import TimeSplit, split_at, split_per_user
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, START, at, scores_of
from feedback_platform_tests.learning.ranker_frames import chains

LIBRARY = (item_ease(20), popularity())


def fitted(split: TimeSplit) -> dict[str, Scorer]:
    data = TrainingInput(split.train, NO_ITEMS, NO_USERS, split.threshold)
    return {source.name: source.fit(data, 1) for source in LIBRARY}


def test_the_instant_is_the_cut_or_each_users_own() -> None:
    scores = chains(users=10)
    own = instants_of(split_per_user(scores, holdout=0.25))
    assert own["u003"] == at(3 + 8)
    cut = at(12)
    split = split_at(scores.filter(pl.col("last_feedback_at") <= cut), scores, cut)
    assert set(instants_of(split).values()) == {cut}


def test_users_whose_candidates_hold_nothing_right_are_no_examples() -> None:
    split = split_per_user(chains(users=30), holdout=0.25)
    sources = fitted(split)
    known = history(split.train, NO_ITEMS, sources["popularity"].item_ids)
    examples = examples_of(split, sources, known, size=4)
    found = np.add.reduceat(examples.labels, np.cumsum(examples.groups) - examples.groups)
    assert 0 < len(found) < 30
    assert (found > 0).all()
    backwards = replace(split, test=split.test.with_columns(pl.lit("gone").alias("item_id")))
    with pytest.raises(NothingToLearnError, match="liked any of their candidates"):
        examples_of(backwards, sources, known)


def lists_of(*rows: tuple[str, str, float, bool, str, int, float]) -> pl.DataFrame:
    """Rows of user, item, hours, whether clicked, list, position, propensity."""
    return pl.DataFrame(
        [(user, item, START + timedelta(hours=h), *rest) for user, item, h, *rest in rows],
        schema=LISTS_SCHEMA,
        orient="row",
    )


SHOWN = lists_of(
    ("v", "a", 9, True, "r2", 1, 0.25),
    ("u", "c", 5, False, "r1", 2, 0.5),
    ("u", "b", 5, True, "r1", 1, 0.25),
    ("u", "gone", 5, False, "r1", 3, 0.5),
)
SCORES = scores_of(
    ("u", "a", 0.9, 1.0, 1), ("v", "b", 0.9, 1.0, 2), ("v", "c", 0.9, 1.0, 3),
    ("u", "b", 0.9, 1.0, 5), ("v", "a", 0.9, 1.0, 9),
)  # fmt: skip
KNOWN = history(SCORES, NO_ITEMS, ["a", "b", "c"], shown=SHOWN)
POPULAR = {"popularity": popularity().fit(TrainingInput(SCORES, NO_ITEMS, NO_USERS, 0.5), 1)}


def test_impressions_become_examples_of_their_lists() -> None:
    examples = examples_shown(SHOWN, POPULAR, KNOWN)
    assert examples.users == ("u", "v")
    assert examples.groups.tolist() == [2, 1]
    assert examples.labels.tolist() == [True, False, True]
    # Inverse propensities 4, 2 and 4, with mean 1.
    assert examples.weights == pytest.approx(np.array([1.2, 0.6, 1.2]))
    # At the first position clicks weigh 2.4 and the rest nothing; at the second 0 and 0.6.
    offset = np.log(1 / 1.6) - np.log(3.4 / 1)
    assert examples.offsets == pytest.approx(np.array([0, offset, 0]))


def test_an_impression_does_not_know_what_came_of_it() -> None:
    examples = examples_shown(SHOWN, POPULAR, KNOWN)
    column = 1 + list(FEATURES).index("popularity")
    # b was liked by v before; u's own like came with the click.
    assert examples.rows[0, column] == pytest.approx(np.log(2))
    said = examples.rows[0:2, :1]
    before = Candidates("u", at(5) - timedelta(seconds=1), np.array([1, 2]), said)
    assert examples.rows[:2] == pytest.approx(features(KNOWN, before), nan_ok=True)


def test_lists_that_cannot_be_learned_from_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="The logged lists frame has no column position"):
        examples_shown(SHOWN.drop("position"), POPULAR, KNOWN)
    gaps = SHOWN.with_columns(pl.lit(None, pl.Float64).alias("propensity"))
    with pytest.raises(InvalidInputError, match="nulls"):
        examples_shown(gaps, POPULAR, KNOWN)
    with pytest.raises(NothingToLearnError, match="None of 1 impressions"):
        examples_shown(SHOWN.filter(pl.col("item_id") == "gone"), POPULAR, KNOWN)
