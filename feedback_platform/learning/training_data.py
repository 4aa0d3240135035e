"""The frames that learning reads, and how they are split in time to measure a model honestly.

A *global* cut is the honest one: the model knows nothing, of anybody, from after one instant. It
needs users who are active on both sides of it. Where a collection was made in bursts (in
MovieLens, most people rate once and never return) hardly anybody is, and a *per-user* cut takes
the last part of each user's own feedback instead; then what others did later is known in training,
to every model that is compared alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.columns import (
    ATTRIBUTES,
    CATEGORIES,
    CONFIDENCE,
    FEEDBACK_SCORE,
    ITEM_ID,
    LAST_FEEDBACK_AT,
    TITLE,
    USER_ID,
)

SplitKind = Literal["global", "per_user"]

# The middle of the scale: three stars of five and up, or implicit signals that speak for the item
# at least as much as against it. What is barely positive weighs little by its score.
POSITIVE_THRESHOLD = 0.5
HOLDOUT = 0.2
# Below this many users the standard error of a mean nDCG (about 0.25 / √n) hides real differences.
MINIMUM_EVALUATED_USERS = 100

SCORES_SCHEMA: Mapping[str, pl.DataType] = {
    USER_ID: pl.String(),
    ITEM_ID: pl.String(),
    FEEDBACK_SCORE: pl.Float64(),
    CONFIDENCE: pl.Float64(),
    LAST_FEEDBACK_AT: pl.Datetime("us", "UTC"),
}
ITEMS_SCHEMA: Mapping[str, pl.DataType] = {
    ITEM_ID: pl.String(),
    TITLE: pl.String(),
    CATEGORIES: pl.List(pl.String()),
}
USERS_SCHEMA: Mapping[str, pl.DataType] = {
    USER_ID: pl.String(),
    ATTRIBUTES: pl.List(pl.String()),
}


@dataclass(frozen=True, eq=False)
class TimeSplit:
    """Scores before and after a cut in time.

    Attributes:
        kind: `global`, one instant for everybody, or `per_user`, each user's own.
        cut: the instant of a global cut (UTC); None when every user has one.
        train: scores known at the cut; the columns of `SCORES_SCHEMA`.
        test: scores of the pairs that are not in train, as known now.
        threshold: a score from here on is positive in train and relevant in test.
    """

    kind: SplitKind
    cut: datetime | None
    train: pl.DataFrame
    test: pl.DataFrame
    threshold: float

    def relevant(self) -> pl.DataFrame:
        """Return user_id, item_id of the relevant test pairs of the evaluated users, sorted."""
        liking = positives(self.train, self.threshold).select(USER_ID).unique()
        relevant = positives(self.test, self.threshold).select(USER_ID, ITEM_ID)
        return relevant.join(liking, on=USER_ID, how="semi").sort(USER_ID, ITEM_ID)

    def evaluated_users(self) -> list[str]:
        """Return the users with a positive pair in train and a relevant one in test, sorted."""
        return self.relevant()[USER_ID].unique().sort().to_list()


def positives(scores: pl.DataFrame, threshold: float = POSITIVE_THRESHOLD) -> pl.DataFrame:
    """Return the rows of a scores frame that speak for their item."""
    return scores.filter(pl.col(FEEDBACK_SCORE) >= threshold)


def choose_cut(timestamps: pl.Series, holdout: float = HOLDOUT) -> datetime:
    """Return the instant with a share of the feedback after it.

    Args:
        timestamps: when each feedback was given (datetime, UTC); nulls are left out.
        holdout: the share after the cut, above 0 and below 1.

    Returns:
        The (1 - holdout) quantile: an instant at which feedback was given.

    Raises:
        InvalidInputError: the hold-out is no share.
        NothingToLearnError: all feedback was given at one instant, so nothing lies after the cut.
    """
    _check_share(holdout)
    known = timestamps.drop_nulls().sort()
    # The last of the first (1 - holdout): what happens at the cut itself still belongs to train.
    before = max(1, round(len(known) * (1 - holdout)))
    if len(known) == 0 or known[before - 1] == known[-1]:
        raise NothingToLearnError(
            f"{len(known)} feedback timestamps leave nothing after a cut at the last "
            f"{holdout:.0%}; collect feedback over a longer time."
        )
    cut: datetime = known[before - 1]
    return cut


def split_at(
    scores_at_cut: pl.DataFrame,
    scores_now: pl.DataFrame,
    cut: datetime,
    *,
    threshold: float = POSITIVE_THRESHOLD,
) -> TimeSplit:
    """Split at one instant.

    Args:
        scores_at_cut: the scores as of the cut, from feedback before it only.
        scores_now: the scores as of now.
        cut: the instant (UTC).
        threshold: a score from here on is positive.

    Raises:
        InvalidInputError: a frame is not a scores frame, or knows feedback from after the cut.
        NothingToLearnError: no user has a positive pair before and a relevant new one after.
    """
    train, now = checked_scores(scores_at_cut), checked_scores(scores_now)
    late = train.filter(pl.col(LAST_FEEDBACK_AT) > cut).height
    if late:
        raise InvalidInputError(
            f"{late} of {train.height} scores as of {cut:%Y-%m-%d %H:%M:%S} rest on feedback from "
            "after it; a model trained on them would know its own test."
        )
    return _checked_split("global", cut, train, now, threshold)


def split_per_user(
    scores_now: pl.DataFrame,
    *,
    holdout: float = HOLDOUT,
    threshold: float = POSITIVE_THRESHOLD,
) -> TimeSplit:
    """Hold out the last part of each user's own pairs, by the time of their last feedback.

    A user with n pairs keeps n - ⌊n · holdout⌋ in train. A pair is in train only when all its
    feedback lies before the user's cut, so its score knows nothing from after it.

    Raises:
        InvalidInputError: the frame is not a scores frame, or the hold-out is no share.
        NothingToLearnError: no user has a positive pair before and a relevant one after.
    """
    _check_share(holdout)
    ordered = checked_scores(scores_now).sort(USER_ID, LAST_FEEDBACK_AT, ITEM_ID)
    place = pl.int_range(pl.len()).over(USER_ID)
    pairs = pl.len().over(USER_ID)
    is_train = place < pairs - (pairs * holdout).floor()
    return _checked_split("per_user", None, ordered.filter(is_train), ordered, threshold)


def choose_split(
    scores_at_cut: pl.DataFrame,
    scores_now: pl.DataFrame,
    cut: datetime,
    *,
    holdout: float = HOLDOUT,
    threshold: float = POSITIVE_THRESHOLD,
    minimum_users: int = MINIMUM_EVALUATED_USERS,
) -> TimeSplit:
    """Return the global split where enough users can be evaluated, otherwise the larger one.

    Args:
        scores_at_cut: the scores as of the cut, from feedback before it only.
        scores_now: the scores as of now.
        cut: the instant of the global cut (UTC).
        holdout: the share of each user's pairs that a per-user cut holds out.
        threshold: a score from here on is positive.
        minimum_users: with as many evaluated users the global cut is taken.

    Raises:
        InvalidInputError: a frame is not a scores frame, or knows feedback from after the cut.
        NothingToLearnError: neither split leaves a user to evaluate.
    """
    try:
        at_cut = split_at(scores_at_cut, scores_now, cut, threshold=threshold)
    except NothingToLearnError:
        return split_per_user(scores_now, holdout=holdout, threshold=threshold)
    if len(at_cut.evaluated_users()) >= minimum_users:
        return at_cut
    try:
        per_user = split_per_user(scores_now, holdout=holdout, threshold=threshold)
    except NothingToLearnError:
        return at_cut
    return max(at_cut, per_user, key=lambda split: len(split.evaluated_users()))


def checked_scores(scores: pl.DataFrame) -> pl.DataFrame:
    """Return a scores frame with exactly its columns, sorted by user and item.

    Raises:
        InvalidInputError: a column is missing or of another type, a value is null or outside
            [0, 1], or a pair is there twice.
    """
    frame = checked_columns("scores", scores, SCORES_SCHEMA, required=SCORES_SCHEMA)
    for name in (FEEDBACK_SCORE, CONFIDENCE):
        outside = frame.filter(~pl.col(name).is_between(0, 1)).height
        if outside:
            raise InvalidInputError(f"{outside} scores have a {name} outside [0, 1].")
    return _unique("scores", frame, [USER_ID, ITEM_ID])


def checked_items(items: pl.DataFrame) -> pl.DataFrame:
    """Return an items frame with exactly its columns, sorted by item.

    Raises:
        InvalidInputError: a column is missing or of another type, or an item is there twice.
    """
    frame = checked_columns("items", items, ITEMS_SCHEMA, required=[ITEM_ID])
    return _unique("items", frame, [ITEM_ID])


def checked_users(users: pl.DataFrame) -> pl.DataFrame:
    """Return a users frame with exactly its columns, sorted by user.

    Raises:
        InvalidInputError: a column is missing or of another type, or a user is there twice.
    """
    frame = checked_columns("users", users, USERS_SCHEMA, required=[USER_ID])
    return _unique("users", frame, [USER_ID])


def _checked_split(
    kind: SplitKind,
    cut: datetime | None,
    train: pl.DataFrame,
    now: pl.DataFrame,
    threshold: float,
) -> TimeSplit:
    test = now.join(train, on=[USER_ID, ITEM_ID], how="anti").sort(USER_ID, ITEM_ID)
    split = TimeSplit(kind, cut, train.sort(USER_ID, ITEM_ID), test, threshold)
    if not split.evaluated_users():
        raise NothingToLearnError(
            f"No user has a pair scored {threshold} or better before the {kind} cut and another "
            f"after it ({train.height} pairs before, {test.height} new ones after); "
            "collect more feedback."
        )
    return split


def checked_columns(
    name: str,
    frame: pl.DataFrame,
    schema: Mapping[str, pl.DataType],
    *,
    required: Iterable[str],
) -> pl.DataFrame:
    """Return exactly the columns of a schema.

    Args:
        name: of the frame, for the error.
        frame: what was given.
        schema: the columns and their types.
        required: columns in which no value is null.

    Raises:
        InvalidInputError: a column is missing or of another type, or has a null that it may not.
    """
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise InvalidInputError(f"The {name} frame has no column {', '.join(missing)}.")
    wrong = {c: frame.schema[c] for c, kind in schema.items() if frame.schema[c] != kind}
    if wrong:
        found = ", ".join(
            f"{column} is {kind}, not {schema[column]}" for column, kind in wrong.items()
        )
        raise InvalidInputError(f"The {name} frame has columns of another type: {found}.")
    selected = frame.select(*schema)
    for column in required:
        if selected[column].null_count():
            raise InvalidInputError(f"The {name} frame has nulls in {column}.")
    return selected


def _unique(name: str, frame: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    if frame.select(key).is_duplicated().any():
        raise InvalidInputError(f"The {name} frame has a {' and '.join(key)} more than once.")
    return frame.sort(key)


def _check_share(holdout: float) -> None:
    if not 0 < holdout < 1:
        raise InvalidInputError(f"The hold-out is {holdout}; it is a share above 0 and below 1.")
