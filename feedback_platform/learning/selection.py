"""Which candidate sources an ensemble sums up, and with what weights.

Sources, their parameters and their weights are chosen in one go by ensemble selection (Caruana et
al., 2004, "Ensemble selection from libraries of models"): every source of a library is fitted on
the inner part of the training data; then, step by step, the source whose addition helps nDCG on
the held-out inner part most gets one vote more; the best of these sums is taken. The number of
steps is the budget. With several inner splits their mean decides, which flatters less.

Only what a source proposes to a user, its best unseen items, can come to the top of the sum; the
sums are over what any source proposes. So the cost of a step does not grow with the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.columns import USER_ID
from feedback_platform.learning.ensemble import standardised
from feedback_platform.learning.evaluation import CUTOFF, metrics_of_hits
from feedback_platform.learning.fitting import fitted
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.inner_splits import sampled
from feedback_platform.learning.ranking import Scores, blocks, pair_matrix, top_items
from feedback_platform.learning.sources import Model, Source, TrainingInput
from feedback_platform.learning.training_data import TimeSplit

STEPS: Final = 10
PROPOSALS: Final = 100
# With more evaluated users a sample decides: the standard error of its mean nDCG is .004.
MOST_USERS: Final = 4_000
# A step that gains less is as likely to be a coincidence of the inner split.
_LEAST_GAIN: Final = 1e-4


@dataclass(frozen=True)
class Selection:
    """What the inner splits chose.

    Attributes:
        weights: name → share of the votes; the shares sum to 1.
        ndcg: of the chosen sum on the inner splits. It is the best of many, so it flatters. None
            where there was nothing to choose by.
        alone: name → nDCG of each source by itself.
    """

    weights: Mapping[str, float]
    ndcg: float | None
    alone: Mapping[str, float]


def choose(
    data: TrainingInput,
    inner: Sequence[TimeSplit],
    sources: Sequence[Source],
    *,
    seed: int,
    steps: int = STEPS,
) -> Selection:
    """Fit every source on the inner splits, and choose among them.

    Args:
        data: the training data.
        inner: splits of `data.scores` and nothing else. Where none leaves anything to learn, all
            sources weigh the same.
        sources: the library to choose from.
        seed: of the sources that draw.
        steps: how many votes are given at most.

    Raises:
        InvalidInputError: a frame is malformed, or there is no source.
    """
    libraries = []
    for split in inner:
        with suppress(NothingToLearnError):
            part = HoldOut(split, data.items, data.users).training_part
            libraries.append(library(fitted(sources, part, seed), split))
    return select(libraries, steps=steps) if libraries else undecided(sources)


def undecided(sources: Sequence[Source]) -> Selection:
    """Return the choice where nothing is known to choose by: all weigh the same.

    Raises:
        InvalidInputError: there is no source.
    """
    if not sources:
        raise InvalidInputError("An ensemble needs a source to choose from.")
    return Selection({source.name: 1 / len(sources) for source in sources}, None, {})


def select(libraries: Sequence[Library], *, steps: int = STEPS) -> Selection:
    """Vote for models, and return the best sum on the way; the first of equals gets the vote.

    Args:
        libraries: the same models, fitted on each inner split.
        steps: how many votes are given at most.

    Raises:
        InvalidInputError: there is no library, no model in it, or no step.
    """
    if not libraries or not libraries[0].scores or steps < 1:
        raise InvalidInputError(
            "An ensemble needs an inner split, a source to choose from and a step."
        )
    names = list(libraries[0].scores)
    nothing = dict.fromkeys(names, 0)

    def with_one_more(votes: Mapping[str, int]) -> dict[str, float]:
        return {
            name: float(
                np.mean([known.ndcg({**votes, name: votes[name] + 1}) for known in libraries])
            )
            for name in names
        }

    alone = with_one_more(nothing)
    gained, votes, chosen, best = alone, nothing, nothing, 0.0
    # A step that helps nothing is taken all the same: after one vote, a second for the same source
    # lets a third for another weigh a third, where it would have weighed a half.
    for step in range(steps):
        gained = with_one_more(votes) if step else alone
        name = max(gained, key=lambda candidate: gained[candidate])
        votes = {**votes, name: votes[name] + 1}
        if gained[name] >= best + _LEAST_GAIN:
            chosen, best = votes, gained[name]
    given = sum(chosen.values())
    if not given:
        # Nothing lists anything that anybody liked; no source is better than another.
        return Selection(dict.fromkeys(names, 1 / len(names)), best, alone)
    return Selection({name: v / given for name, v in chosen.items() if v}, best, alone)


@dataclass(frozen=True, eq=False)
class Library:
    """What models that were fitted on an inner split propose to its evaluated users.

    A place is an item that any of the models proposes; a user's places are in the items' order.

    Attributes:
        scores: name → (users x places), standardised over the whole catalogue.
        is_proposed: (users x places), False at the end of the row of a user with fewer.
        is_relevant: (users x places), whether the user liked the item afterwards.
        relevant: (users,), how many items the user liked afterwards, proposed or not.
    """

    scores: Mapping[str, Scores]
    is_proposed: NDArray[np.bool_]
    is_relevant: NDArray[np.bool_]
    relevant: NDArray[np.int64]

    def ndcg(self, votes: Mapping[str, int]) -> float:
        """Return nDCG of the models' weighted sum."""
        total = np.zeros(self.is_proposed.shape, dtype=np.float32)
        for name, given in votes.items():
            if given:
                total += np.float32(given) * self.scores[name]
        ranked = top_items(np.where(self.is_proposed, total, -np.inf), None, CUTOFF)
        hits = np.take_along_axis(self.is_relevant, np.maximum(ranked, 0), axis=1) & (ranked >= 0)
        return float(metrics_of_hits(hits, self.relevant)["ndcg"].mean())


def library(
    models: Mapping[str, Model],
    inner: TimeSplit,
    *,
    proposals: int = PROPOSALS,
    most_users: int = MOST_USERS,
) -> Library:
    """Let models that were fitted on `inner.train` alone propose items to its evaluated users.

    Args:
        models: name → model.
        inner: the split.
        proposals: how many items each model proposes to a user.
        most_users: how many users are looked at.
    """
    inner = sampled(inner, most_users)
    item_ids = next(iter(models.values())).item_ids
    users, pairs = inner.evaluated_users(), inner.relevant()
    seen = pair_matrix(inner.train, users, item_ids)
    relevant = pair_matrix(pairs, users, item_ids)
    shape = (len(users), min(len(item_ids), len(models) * proposals))
    scores = {name: np.zeros(shape, dtype=np.float32) for name in models}
    is_proposed, is_relevant = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    for block in blocks(len(users), len(item_ids)):
        said = {name: standardised(model.scores(users[block])) for name, model in models.items()}
        lists = [top_items(scored, seen[block], proposals) for scored in said.values()]
        places = _union(lists, shape[1])
        is_proposed[block] = places >= 0
        own = np.maximum(places, 0)
        liked = relevant[block].toarray() > 0
        is_relevant[block] = np.take_along_axis(liked, own, axis=1) & is_proposed[block]
        for name, scored in said.items():
            scores[name][block] = np.take_along_axis(scored, own, axis=1)
    counts = pairs.group_by(USER_ID).len().sort(USER_ID)["len"].cast(pl.Int64).to_numpy()
    return Library(scores, is_proposed, is_relevant, counts)


def _union(lists: Sequence[NDArray[np.int64]], width: int) -> NDArray[np.int64]:
    """Return the items of several lists of each user, each once, rising; -1 at the end."""
    last = np.iinfo(np.int64).max
    items = np.sort(np.concatenate(lists, axis=1), axis=1)
    is_again = np.zeros(items.shape, dtype=np.bool_)
    is_again[:, 1:] = items[:, 1:] == items[:, :-1]
    items = np.sort(np.where(is_again | (items < 0), last, items), axis=1)[:, :width]
    return np.where(items == last, -1, items)
