"""A model on the hold-out: how relevant its lists are, and what else there is to say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from feedback_platform.learning.list_quality import ListQuality, list_quality
from feedback_platform.learning.ranking import PairMatrix, Scorer, pair_matrix
from feedback_platform.learning.sources import TrainingInput
from feedback_platform.learning.training_data import TimeSplit, positives


@dataclass(frozen=True, eq=False)
class HoldOut:
    """What models are measured on, and what was known at the cut.

    Attributes:
        split: training part and hold-out.
        items_at_cut: what was known of the items at the cut; of a per-user split at the global one.
        users_at_cut: what was known of the users then.
    """

    split: TimeSplit
    items_at_cut: pl.DataFrame
    users_at_cut: pl.DataFrame

    @cached_property
    def training_part(self) -> TrainingInput:
        """What a model may learn from that is measured here.

        Its catalogue is what had feedback before the cut: nobody could have listed the other items
        then. Relevant items outside it count against every model alike.
        """
        known = self.items_at_cut.join(self.split.train, on=ITEM_ID, how="semi")
        return TrainingInput(self.split.train, known, self.users_at_cut, self.split.threshold)

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
class Measured:
    """A model on the hold-out.

    Attributes:
        evaluation: its lists against what users liked.
        quality: what relevance does not tell of the lists.
    """

    evaluation: Evaluation
    quality: ListQuality


def _labels(items: pl.DataFrame, item_ids: Sequence[str]) -> PairMatrix:
    """Return 1 for each category of an item, (items x categories)."""
    pairs = (
        items.select(pl.col(ITEM_ID).alias(USER_ID), pl.col(CATEGORIES).alias(ITEM_ID))
        .explode(ITEM_ID)
        .drop_nulls()
        .unique()
    )
    return pair_matrix(pairs, item_ids, pairs[ITEM_ID].unique().sort().to_list())
