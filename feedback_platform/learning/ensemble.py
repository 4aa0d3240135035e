"""Several candidate sources as one model: a weighted sum of their standardised scores.

A source's scores mean nothing beside another's, so each user's scores of each source are
standardised first: over the whole catalogue they get the mean 0 and the standard deviation 1.

The sources, their parameters and their weights are chosen in one go by ensemble selection
(Caruana et al., 2004, "Ensemble selection from libraries of models"): every source of a library is
fitted on the inner part of the training data; then, step by step, the source whose addition helps
nDCG on the held-out inner part most gets one vote more; the best of these sums is taken. Only what
has votes is fitted again, on all training data. The number of steps is the budget. With several
inner splits their mean decides, which flatters less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.columns import ITEM_ID, USER_ID
from feedback_platform.learning.evaluation import CUTOFF, evaluate
from feedback_platform.learning.ranking import Scores
from feedback_platform.learning.sources import (
    DEFAULT_SOURCES,
    KINDS,
    Model,
    Source,
    TrainingInput,
    within_reach,
)
from feedback_platform.learning.training_data import TimeSplit

STEPS: Final = 10
# A step that gains less is as likely to be a coincidence of the inner split.
_LEAST_GAIN: Final = 1e-4
# Scores of all sources that are held at a time: 2 GB. With more users a sample of them decides.
_CELLS: Final = 500_000_000


@dataclass(frozen=True, eq=False)
class Member:
    """A model with its weight in the sum."""

    name: str
    kind: str
    weight: float
    model: Model


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Fitted sources that score the same items, in the same order."""

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise InvalidInputError("An ensemble needs at least one member.")
        if any(member.model.item_ids != self.item_ids for member in self.members):
            raise InvalidInputError("The members of an ensemble score different items.")

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The items, in the order of the score matrix's columns."""
        return self.members[0].model.item_ids

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each member by its name."""
        return {member.name: member.weight for member in self.members}

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the weighted sum of the members' standardised scores, (users x items)."""
        total = np.zeros((len(user_ids), len(self.item_ids)), dtype=np.float32)
        for member in self.members:
            total += np.float32(member.weight) * standardised(member.model.scores(user_ids))
        return total

    def to_bytes(self) -> bytes:
        """Return the ensemble as a `.npz` archive without pickles, the members' inside it."""
        arrays: dict[str, NDArray[np.float32] | NDArray[np.uint8]] = {
            f"member_{place}": np.frombuffer(member.model.to_bytes(), dtype=np.uint8)
            for place, member in enumerate(self.members)
        }
        arrays["weights"] = np.array([m.weight for m in self.members], dtype=np.float32)
        return pack(arrays, {"members": [f"{m.kind}/{m.name}" for m in self.members]})

    @classmethod
    def from_bytes(cls, data: bytes) -> Ensemble:
        """Return the ensemble that `to_bytes` wrote.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "ensemble")
        labels = reader.texts("members")
        weights = reader.floats("weights", (len(labels),)).tolist()
        members = []
        for place, (label, weight) in enumerate(zip(labels, weights, strict=True)):
            kind, _, name = label.partition("/")
            if kind not in KINDS:
                raise InvalidInputError(f"The ensemble's member {name!r} is of no known kind.")
            model = KINDS[kind](reader.content(f"member_{place}"))
            members.append(Member(name, kind, weight, model))
        return cls(tuple(members))


@dataclass(frozen=True)
class Selection:
    """What the inner split chose.

    Attributes:
        weights: name → share of the votes; the shares sum to 1.
        ndcg: of the chosen sum on the inner split. It is the best of many, so it flatters.
        alone: name → nDCG of each source by itself.
    """

    weights: Mapping[str, float]
    ndcg: float
    alone: Mapping[str, float]


def fit_ensemble(
    data: TrainingInput,
    inner: Sequence[TimeSplit],
    *,
    sources: tuple[Source, ...] = DEFAULT_SOURCES,
    seed: int,
    steps: int = STEPS,
) -> tuple[Ensemble, Selection]:
    """Choose sources and weights on an inner split, then fit what was chosen on all the data.

    Args:
        data: the training data.
        inner: splits of `data.scores` and nothing else.
        sources: the library to choose from; what is out of reach for the size is left out.
        seed: of the sources that draw.
        steps: how many votes are given at most.

    Raises:
        InvalidInputError: a frame is malformed, or no source can be fitted.
        NothingToLearnError: there is no preference to learn.
    """
    able = within_reach(sources, *data.preferences.weights.shape)
    selection = select([_fitted(able, data, split, seed) for split in inner], steps=steps)
    members = tuple(
        Member(source.name, source.kind, selection.weights[source.name], source.fit(data, seed))
        for source in able
        if source.name in selection.weights
    )
    return Ensemble(members), selection


def select(libraries: Sequence[Library], *, steps: int = STEPS) -> Selection:
    """Vote for models, and return the best sum on the way; the first of equals gets the vote.

    Args:
        libraries: the same models, fitted on each inner split.
        steps: how many votes are given at most.

    Raises:
        InvalidInputError: there is no library, no model in it, or no step.
    """
    if not libraries or not libraries[0].standardised or steps < 1:
        raise InvalidInputError(
            "An ensemble needs an inner split, a source to choose from and a step."
        )
    names = list(libraries[0].standardised)
    nothing = dict.fromkeys(names, 0)

    def quality(votes: Mapping[str, int]) -> float:
        return float(np.mean([library.ndcg(votes) for library in libraries]))

    alone = {name: quality({**nothing, name: 1}) for name in names}
    votes, chosen, best = nothing, nothing, 0.0
    # A step that helps nothing is taken all the same: after one vote, a second for the same source
    # lets a third for another weigh a third, where it would have weighed a half.
    for _ in range(steps):
        gained = {name: quality({**votes, name: votes[name] + 1}) for name in names}
        name = max(gained, key=lambda candidate: gained[candidate])
        votes = {**votes, name: votes[name] + 1}
        if gained[name] >= best + _LEAST_GAIN:
            chosen, best = votes, gained[name]
    given = sum(chosen.values())
    return Selection({name: v / given for name, v in chosen.items() if v}, best, alone)


@dataclass(frozen=True, eq=False)
class Library:
    """What models that were fitted on an inner split say of its evaluated users.

    Attributes:
        inner: the split.
        item_ids: the items, in the order of the columns.
        standardised: name → (users x items), the scores of the split's evaluated users.
    """

    inner: TimeSplit
    item_ids: tuple[str, ...]
    standardised: Mapping[str, Scores]

    def ndcg(self, votes: Mapping[str, int]) -> float:
        """Return nDCG of the models' weighted sum."""
        total = sum(np.float32(v) * self.standardised[name] for name, v in votes.items() if v)
        rows = {user_id: row for row, user_id in enumerate(self.inner.evaluated_users())}
        fixed = _Fixed(self.item_ids, rows, np.asarray(total, dtype=np.float32))
        return evaluate(fixed, self.inner, CUTOFF).mean("ndcg")


def library(models: Mapping[str, Model], inner: TimeSplit, cells: int = _CELLS) -> Library:
    """Let models that were fitted on `inner.train` alone score its evaluated users.

    Args:
        models: name → model.
        inner: the split.
        cells: how many scores are held at most.
    """
    item_ids = next(iter(models.values())).item_ids
    sampled = _sampled(inner, max(1, cells // (len(models) * len(item_ids))))
    users = sampled.evaluated_users()
    return Library(
        sampled,
        item_ids,
        {name: standardised(model.scores(users)) for name, model in models.items()},
    )


def standardised(scores: Scores) -> Scores:
    """Return each row with mean 0 and standard deviation 1; a row without differences is 0."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    # What float32 leaves of a constant row is no difference.
    noise = np.finfo(np.float32).eps * np.abs(scores).max(axis=1, keepdims=True, initial=0) * 4
    is_flat = spread <= noise
    divided: Scores = np.where(is_flat, 0, centred / np.where(is_flat, 1, spread))
    return divided.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Fixed:
    """Scores that are known already."""

    item_ids: tuple[str, ...]
    rows: Mapping[str, int]
    known: Scores

    def scores(self, user_ids: Sequence[str]) -> Scores:
        fixed: Scores = self.known[[self.rows[user_id] for user_id in user_ids]]
        return fixed


def _sampled(inner: TimeSplit, most: int) -> TimeSplit:
    """Return the split with at most so many evaluated users, taken at even distances."""
    users = inner.evaluated_users()
    if len(users) <= most:
        return inner
    places = np.linspace(0, len(users) - 1, most).astype(np.int64).tolist()
    chosen = [users[place] for place in places]
    return replace(inner, test=inner.test.filter(pl.col(USER_ID).is_in(chosen)))


def _fitted(sources: Sequence[Source], data: TrainingInput, inner: TimeSplit, seed: int) -> Library:
    part = TrainingInput(inner.train, _known(data, inner), data.users, data.threshold)
    return library({source.name: source.fit(part, seed) for source in sources}, inner)


def _known(data: TrainingInput, inner: TimeSplit) -> pl.DataFrame:
    """Return the items that had feedback in the inner part: the others could not be learned."""
    return data.items.join(inner.train, on=ITEM_ID, how="semi")
