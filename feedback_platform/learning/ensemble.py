"""Several candidate sources as one model: a weighted sum of their standardised scores.

A source's scores mean nothing beside another's, so each user's scores of each source are
standardised first: over the whole catalogue they get the mean 0 and the standard deviation 1.
Which sources, and with what weights, is `selection`'s part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.fitting import fitted
from feedback_platform.learning.ranking import Scorer, Scores
from feedback_platform.learning.sources import KINDS, Model, Source, TrainingInput

# Beside its members, the sum as a source of the ranker.
ENSEMBLE: Final = "ensemble"


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

    @property
    def sources(self) -> dict[str, Scorer]:
        """The members by their names, and their sum: what a ranker looks at."""
        return {**{member.name: member.model for member in self.members}, ENSEMBLE: self}

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the weighted sum of the members' standardised scores, (users x items)."""
        return self.sum_of(standardised(member.model.scores(user_ids)) for member in self.members)

    def sum_of(self, scores: Iterable[Scores]) -> Scores:
        """Return the weighted sum of the members' standardised scores, given in their order."""
        weighted = (
            np.float32(member.weight) * said
            for member, said in zip(self.members, scores, strict=True)
        )
        total: Scores = reduce(np.add, weighted)
        return total

    def without_users(self, user_ids: Collection[str]) -> Ensemble:
        """Return the ensemble without anything of some users."""
        return Ensemble(
            tuple(
                replace(member, model=member.model.without_users(user_ids))
                for member in self.members
            )
        )

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


def fit_ensemble(
    data: TrainingInput, sources: Sequence[Source], weights: Mapping[str, float], *, seed: int
) -> Ensemble:
    """Fit the sources that have a weight.

    Args:
        data: what to learn from.
        sources: where candidates come from.
        weights: name → weight in the sum; a source without one is not fitted.
        seed: of the sources that draw.

    Raises:
        InvalidInputError: a frame is malformed, a source cannot learn from so much, or none has a
            weight.
        NothingToLearnError: there is no preference to learn.
    """
    chosen = [source for source in sources if source.name in weights]
    models = fitted(chosen, data, seed)
    return Ensemble(
        tuple(
            Member(source.name, source.kind, weights[source.name], models[source.name])
            for source in chosen
        )
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
