"""The ranker beside the other models: examples of a split for it, and its lists as a scorer's.

The instant of a split's user is the cut, or, where each user has a cut of their own, the last
feedback before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import NothingToLearnError
from feedback_platform.events.columns import POSITION, PROPENSITY, RECOMMENDATION_ID
from feedback_platform.learning.candidate_ranker import CandidateRanker
from feedback_platform.learning.columns import ITEM_ID, LAST_FEEDBACK_AT, USER_ID
from feedback_platform.learning.ensemble import standardised
from feedback_platform.learning.ranker import Ranker
from feedback_platform.learning.ranker_candidates import CANDIDATES, candidates_of
from feedback_platform.learning.ranker_features import Candidates, features
from feedback_platform.learning.ranker_history import IS_CLICKED, SHOWN_AT, SHOWN_SCHEMA, History
from feedback_platform.learning.ranker_impressions import Examples, Shown
from feedback_platform.learning.ranking import PairMatrix, Scorer, Scores, pair_matrix
from feedback_platform.learning.training_data import TimeSplit, checked_columns

# Impressions with what is needed to learn from them.
LISTS_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    **SHOWN_SCHEMA,
    RECOMMENDATION_ID: pl.String(),
    POSITION: pl.Int64(),
    PROPENSITY: pl.Float64(),
}
# Items that are no candidates come after all that are.
_BEHIND = np.float32(-1e6)


def instants_of(split: TimeSplit) -> dict[str, datetime]:
    """Return the instant of each evaluated user, in their order."""
    users = split.evaluated_users()
    if split.cut is not None:
        return dict.fromkeys(users, split.cut)
    last = split.train.group_by(USER_ID).agg(pl.col(LAST_FEEDBACK_AT).max())
    known = dict(last.iter_rows())
    return {user_id: known[user_id] for user_id in users}


def examples_of(
    split: TimeSplit,
    sources: Mapping[str, Scorer],
    known: History,
    *,
    size: int = CANDIDATES,
) -> Examples:
    """Return the candidates of a split's evaluated users, with what they liked afterwards.

    Users whose candidates hold nothing that they liked teach no order, and are left out.

    Args:
        split: the hold-out.
        sources: name → scorer that was fitted on `split.train` and nothing else.
        known: of `split.train` and of what was shown before.
        size: candidates of each user.

    Raises:
        InvalidInputError: the sources score different items.
        NothingToLearnError: nobody's candidates hold what they liked.
    """
    instants = instants_of(split)
    users = list(instants)
    seen = pair_matrix(split.train, users, known.item_ids)
    liked = pair_matrix(split.relevant(), users, known.item_ids)
    rows: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.bool_]] = []
    of_users: list[str] = []
    found = candidates_of(sources, instants, seen, size)
    for row, candidates in enumerate(found):
        own = liked.indices[liked.indptr[row] : liked.indptr[row + 1]]
        is_right = np.isin(candidates.items, own)
        if is_right.any():
            rows.append(features(known, candidates))
            labels.append(is_right)
            of_users.append(candidates.user_id)
    if not rows:
        raise NothingToLearnError(
            f"None of {len(users)} users liked any of their candidates afterwards."
        )
    groups = np.array([len(each) for each in labels], dtype=np.int64)
    return Examples.plain(np.concatenate(rows), np.concatenate(labels), groups, tuple(of_users))


@dataclass(frozen=True, eq=False)
class RankedLists:
    """Ranked candidates as one scorer, at the instants of some users.

    Attributes:
        ranker: what finds and orders the candidates.
        instants: user → the instant of the request.
        seen: (users x items), what is no candidate, in the order of `instants`.
    """

    ranker: CandidateRanker
    instants: Mapping[str, datetime]
    seen: PairMatrix

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The items, in the order of the score matrix's columns."""
        return self.ranker.known.item_ids

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return minus the place of every candidate for each user, far below it for the rest."""
        asked = {user_id: self.instants[user_id] for user_id in user_ids}
        seen = self.seen[[self._rows[user_id] for user_id in asked]]
        scores = np.full((len(asked), len(self.item_ids)), _BEHIND, dtype=np.float32)
        for row, candidates in enumerate(self.ranker.candidates(asked, seen)):
            items, _ = self.ranker.rank(candidates)
            # Places, not probabilities: in 32 bits two of those may be equal.
            scores[row, items] = -np.arange(len(items), dtype=np.float32)
        return scores

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {user_id: row for row, user_id in enumerate(self.instants)}


def ranked_at(
    split: TimeSplit, sources: Mapping[str, Scorer], known: History, ranker: Ranker
) -> RankedLists:
    """Return the ranker's lists at a split's cut, to be measured on what came after it."""
    instants = instants_of(split)
    seen = pair_matrix(split.train, list(instants), known.item_ids)
    return RankedLists(CandidateRanker(sources, ranker, known), instants, seen)


def examples_shown(shown: pl.DataFrame, sources: Mapping[str, Scorer], known: History) -> Examples:
    """Return logged impressions as examples, without the doing of position and choice.

    The features of an impression are those of the second before it; what it came to is a label,
    and nothing else. Impressions of items that no source scores are left out.

    Args:
        shown: `LISTS_SCHEMA`, without impressions whose propensity was not
            logged.
        sources: name → scorer, fitted on what was before the first of the impressions.
        known: of feedback and impressions; it may reach beyond the impressions.

    Raises:
        InvalidInputError: the frame is malformed, or a propensity or position is none.
        NothingToLearnError: there is no impression of an item that the sources score.
    """
    lists = checked_columns("logged lists", shown, LISTS_SCHEMA, required=LISTS_SCHEMA)
    lists = lists.filter(pl.col(ITEM_ID).is_in(list(known.item_ids)))
    if lists.is_empty():
        raise NothingToLearnError(
            f"None of {shown.height} impressions is of an item that the sources score."
        )
    lists = lists.sort(USER_ID, RECOMMENDATION_ID, POSITION, ITEM_ID)
    rows: list[NDArray[np.float32]] = []
    groups: list[int] = []
    users: list[str] = []
    for (user_id,), of_user in lists.group_by(USER_ID, maintain_order=True):
        said = np.stack(
            [standardised(source.scores([str(user_id)]))[0] for source in sources.values()], axis=1
        )
        for _, one in of_user.group_by(RECOMMENDATION_ID, maintain_order=True):
            items = np.array([known.item_rows[item_id] for item_id in one[ITEM_ID]])
            at = one[SHOWN_AT][0] - timedelta(seconds=1)
            rows.append(features(known, Candidates(str(user_id), at, items, said[items])))
            groups.append(len(items))
            users.append(str(user_id))
    impressions = Shown(
        lists[POSITION].to_numpy(), lists[PROPENSITY].to_numpy(), lists[IS_CLICKED].to_numpy()
    )
    return Examples.shown(np.concatenate(rows), impressions, np.array(groups), tuple(users))
