"""Splits of the training part that resemble the hold-out; every choice of a training is made here.

The newest chooses the sources. The ranker learns from all: with a global cut few users are active
on both sides of one, so there are several, each measured until the next. Every window holds as much
feedback, a fifth of the training part: a ranker that has learned from windows of another length
expects another rate of right items.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.errors import NothingToLearnError
from feedback_platform.learning.columns import USER_ID
from feedback_platform.learning.training_data import (
    HOLDOUT,
    TimeSplit,
    choose_cut,
    choose_split,
    split_at,
    split_per_user,
)

INNER_CUTS: Final = 3
# With so much feedback one cut has users enough, and what is fitted at each costs the more.
_PLENTY: Final = 1_000_000


def choose_inner_cuts(timestamps: pl.Series, cut: datetime) -> list[datetime]:
    """Return instants that cut off one, two and three fifths of what lies before a cut.

    Args:
        timestamps: when each feedback was given (datetime, UTC); nulls are left out.
        cut: the end of the training part (UTC).

    Returns:
        The instants, the latest first; one where there is plenty of feedback, and none where all
        of it was given at one instant.
    """
    before = timestamps.filter(timestamps <= cut)
    cuts = 1 if len(before) > _PLENTY else INNER_CUTS
    found = []
    for number in range(1, cuts + 1):
        with suppress(NothingToLearnError):
            found.append(choose_cut(before, number * HOLDOUT))
    return sorted(set(found), reverse=True)


def inner_splits(split: TimeSplit, scores_at: Mapping[datetime, pl.DataFrame]) -> list[TimeSplit]:
    """Return splits of the training part that resemble the hold-out's, the newest first.

    Args:
        split: the hold-out.
        scores_at: cut within the training part (UTC) → the scores as of then, from feedback before
            it only.

    Returns:
        One of each user's own where the hold-out is that; otherwise one for each cut. Where too few
        users are active on both sides of the newest cut it is the only one, and each user's own.
        None where too little is known to split it once more.
    """
    if split.kind == "per_user":
        with suppress(NothingToLearnError):
            return [split_per_user(split.train, threshold=split.threshold)]
        return []
    found: list[TimeSplit] = []
    until = split.train
    for cut, scores in sorted(scores_at.items(), reverse=True):
        divide = split_at if found else choose_split
        try:
            found.append(divide(scores, until, cut, threshold=split.threshold))
        except NothingToLearnError:
            break
        if found[-1].kind != split.kind:
            break
        until = scores
    return found


def sampled(split: TimeSplit, most: int) -> TimeSplit:
    """Return a split with at most so many evaluated users, taken at even distances."""
    users = split.evaluated_users()
    if len(users) <= most:
        return split
    places = np.linspace(0, len(users) - 1, most).astype(np.int64).tolist()
    chosen = [users[place] for place in places]
    return replace(split, test=split.test.filter(pl.col(USER_ID).is_in(chosen)))
