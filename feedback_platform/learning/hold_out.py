"""A model on the hold-out: how relevant its lists are, and what else there is to say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from feedback_platform.learning.columns import CATEGORIES, ITEM_ID, USER_ID
from feedback_platform.learning.evaluation import (
    CUTOFF,
    Evaluation,
    evaluate_lists,
    hold_out_lists,
)
from feedback_platform.learning.exploration import NO_EXPLORATION, Exploration
from feedback_platform.learning.list_quality import ListQuality, list_quality
from feedback_platform.learning.off_policy import LoggedImpressions
from feedback_platform.learning.ranker_history import History, history
from feedback_platform.learning.ranker_lists import ranked_at
from feedback_platform.learning.ranking import PairMatrix, Scorer, Scores, pair_matrix
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.sources import TrainingInput
from feedback_platform.learning.training_data import TimeSplit, positives


@dataclass(frozen=True, eq=False)
class HoldOut:
    """What models are measured on, and what was known at the cut.

    Attributes:
        split: training part and hold-out.
        items_at_cut: what was known of the items at the cut; of a per-user split at the global one.
        users_at_cut: what was known of the users then.
        inner: splits of the training part, the newest first, for what has to be chosen in it.
        shown: impressions (`ranker_history.SHOWN_SCHEMA`), where they are logged. Those from after
            an instant are unknown at it, so it may be more than was known at the cut.
        logged: impressions in lists, with their propensities (`ranker_lists.LISTS_SCHEMA`), from
            before the cut and after it, where they are logged.
        exploration: of the lists that the installation makes.
    """

    split: TimeSplit
    items_at_cut: pl.DataFrame
    users_at_cut: pl.DataFrame
    inner: tuple[TimeSplit, ...] = ()
    shown: pl.DataFrame | None = None
    logged: pl.DataFrame | None = None
    exploration: Exploration = NO_EXPLORATION

    @cached_property
    def training_part(self) -> TrainingInput:
        """What a model may learn from that is measured here.

        Its catalogue is what had feedback before the cut: nobody could have listed the other items
        then. Relevant items outside it count against every model alike.
        """
        known = self.items_at_cut.join(self.split.train, on=ITEM_ID, how="semi")
        return TrainingInput(self.split.train, known, self.users_at_cut, self.split.threshold)

    @cached_property
    def inner_parts(self) -> tuple[HoldOut, ...]:
        """The inner splits as hold-outs in the training part."""
        part = self.training_part
        return tuple(
            replace(self, split=inner, items_at_cut=part.items, inner=()) for inner in self.inner
        )

    @property
    def similar_parts(self) -> tuple[HoldOut, ...]:
        """Those of them that are split in the way of the hold-out; from others no ranker learns.

        At a user's own last feedback other things are likely than at an instant for everybody.
        """
        return tuple(part for part in self.inner_parts if part.split.kind == self.split.kind)

    def history(self, item_ids: Sequence[str]) -> History:
        """Return what was known at every instant of the training part, over the items."""
        wanted = tuple(item_ids)
        if wanted not in self._histories:
            # One is kept: it is asked for again at once, and large.
            self._histories.clear()
            self._histories[wanted] = history(
                self.split.train,
                self.items_at_cut,
                wanted,
                shown=self.shown,
                threshold=self.split.threshold,
            )
        return self._histories[wanted]

    @cached_property
    def _histories(self) -> dict[tuple[str, ...], History]:
        return {}

    def served(self, model: Recommender) -> Scorer:
        """Return a model as it makes lists: ranked at the cut, where it has a ranker."""
        if model.ranker is None:
            return model
        known = self.history(model.item_ids)
        ranked = ranked_at(self.split, model.ensemble.sources, known, model.ranker)
        return _Served(model, ranked)

    def measure(self, scorer: Scorer, k: int = CUTOFF) -> Measured:
        """Rank every evaluated user's items, and look at the lists.

        Args:
            scorer: a model that was fitted on the training part and nothing else.
            k: length of the lists.
        """
        ranked = hold_out_lists(scorer, self.split, k)
        users = self.split.evaluated_users()
        train, items = self.split.train, scorer.item_ids
        liked = positives(train, self.split.threshold)
        everybody = pair_matrix(liked, liked[USER_ID].unique().sort().to_list(), items)
        quality = list_quality(
            ranked,
            liked=pair_matrix(liked, users, items),
            item_users=np.diff(everybody.tocsc().indptr).astype(np.int64),
            users=train[USER_ID].n_unique(),
            labels=_labels(self.items_at_cut, items),
        )
        return Measured(evaluate_lists(ranked, items, self.split), quality)


@dataclass(frozen=True, eq=False)
class _Served:
    """A recommender whose ranker orders the lists of those that it has met."""

    model: Recommender
    ranked: Scorer

    @property
    def item_ids(self) -> tuple[str, ...]:
        return self.model.item_ids

    def scores(self, user_ids: Sequence[str]) -> Scores:
        return self.model.scores_by(self.ranked, user_ids)


@dataclass(frozen=True, eq=False)
class Measured:
    """A model on the hold-out.

    Attributes:
        evaluation: its lists against what users liked.
        quality: what relevance does not tell of the lists.
        logged: what was shown after the cut beside what the model would have shown, where that is
            known (`policy_evaluation`).
    """

    evaluation: Evaluation
    quality: ListQuality
    logged: LoggedImpressions | None = None


def _labels(items: pl.DataFrame, item_ids: Sequence[str]) -> PairMatrix:
    """Return 1 for each category of an item, (items x categories)."""
    pairs = (
        items.select(pl.col(ITEM_ID).alias(USER_ID), pl.col(CATEGORIES).alias(ITEM_ID))
        .explode(ITEM_ID)
        .drop_nulls()
        .unique()
    )
    return pair_matrix(pairs, item_ids, pairs[ITEM_ID].unique().sort().to_list())
