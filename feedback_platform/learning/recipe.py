"""What makes one recommender out of given data, as a version's parameters tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.ensemble import ENSEMBLE, Ensemble, fit_ensemble
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.popularity import fit_popularity
from feedback_platform.learning.ranker import Ranker, RankerParameters
from feedback_platform.learning.ranker_impressions import Examples
from feedback_platform.learning.ranker_training import lesson_of, train_ranker
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.sources import Source, TrainingInput, source_of, within_reach

_SOURCES: Final = "sources"
_WEIGHT: Final = "weight"
_RANKER: Final = "ranker"


@dataclass(frozen=True)
class Recipe:
    """Candidate sources and a ranker that were chosen once, and can be fitted on any data.

    Attributes:
        sources: each with its weight in the sum.
        seed: of the sources that draw.
        threshold: a score from here on is positive.
        ranker: how to train the ranker; None where the sum of the sources orders the lists, as in
            every version of a release without rankers.
    """

    sources: tuple[tuple[Source, float], ...]
    seed: int
    threshold: float
    ranker: RankerParameters | None = None

    @property
    def stored(self) -> dict[str, Any]:
        """The recipe as JSON can express it."""
        return {
            _SOURCES: [{**source.description, _WEIGHT: weight} for source, weight in self.sources],
            "seed": self.seed,
            "threshold": self.threshold,
            _RANKER: None if self.ranker is None else asdict(self.ranker),
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Recipe:
        """Return the recipe in a version's parameters.

        Raises:
            InvalidInputError: this release can make nothing of them.
        """
        try:
            sources = tuple((_source(known), float(known[_WEIGHT])) for known in stored[_SOURCES])
            ranker = None if stored.get(_RANKER) is None else _parameters(stored[_RANKER])
            recipe = cls(sources, int(stored["seed"]), float(stored["threshold"]), ranker)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError(f"a recipe lacks or mistakes {error}") from error
        if not sources or any(weight <= 0 for _, weight in sources):
            raise InvalidInputError("a recipe needs sources, each of a weight above 0")
        return recipe

    def within_reach(self, data: TrainingInput) -> Recipe:
        """Return the recipe without the sources that cannot learn from so much.

        Raises:
            InvalidInputError: none can.
            NothingToLearnError: there is no preference to learn.
        """
        sources = tuple(source for source, _ in self.sources)
        able = within_reach(sources, *data.preferences.weights.shape)
        return replace(self, sources=tuple(known for known in self.sources if known[0] in able))

    @property
    def ranked_sources(self) -> tuple[str, ...]:
        """The names of what a ranker by this recipe looks at."""
        return (*(source.name for source, _ in self.sources), ENSEMBLE)

    def lessons(self, parts: Sequence[HoldOut]) -> list[Examples]:
        """Fit the sources on parts of the past, and return what a ranker learns from them.

        Parts that teach nothing are left out.
        """
        lessons = []
        for part in parts:
            with suppress(NothingToLearnError):
                lessons.append(lesson_of(part, self.fit_sources(part.training_part)))
        return lessons

    def fit_twin(self, hold_out: HoldOut) -> Recommender:
        """Train on a hold-out's training part, the ranker on its inner splits.

        Raises:
            InvalidInputError: a frame is malformed, or a source cannot learn from so much.
            NothingToLearnError: there is no preference to learn.
        """
        lessons = [] if self.ranker is None else self.lessons(hold_out.similar_parts)
        return self.fit(replace(hold_out.training_part, threshold=self.threshold), lessons)

    def fit(self, data: TrainingInput, lessons: Sequence[Examples] = ()) -> Recommender:
        """Train on data; without lessons, or where they teach nothing, there is no ranker.

        Args:
            data: what the members of the ensemble learn from.
            lessons: what the ranker learns from, of the sources of this recipe.

        Raises:
            InvalidInputError: a frame is malformed, or a source cannot learn from so much.
            NothingToLearnError: there is no preference to learn.
        """
        ranker = None
        if self.ranker is not None:
            ranker = train_ranker(lessons, self.ranked_sources, self.ranker, seed=self.seed)
        return self.fit_with(data, ranker)

    def fit_with(self, data: TrainingInput, ranker: Ranker | None) -> Recommender:
        """Train on data all but the ranker, which is there already."""
        preferences = data.preferences
        return Recommender(
            ensemble=self.fit_sources(data),
            popularity=fit_popularity(
                data.scores, item_ids=preferences.item_ids, threshold=data.threshold
            ),
            user_ids=preferences.user_ids,
            ranker=ranker,
        )

    def fit_sources(self, data: TrainingInput) -> Ensemble:
        """Train the sources on data, and sum them up."""
        sources = tuple(source for source, _ in self.sources)
        weights = {source.name: weight for source, weight in self.sources}
        return fit_ensemble(data, sources, weights, seed=self.seed)


def _source(known: Mapping[str, Any]) -> Source:
    return source_of({name: value for name, value in known.items() if name != _WEIGHT})


def _parameters(known: Mapping[str, Any]) -> RankerParameters:
    return RankerParameters(
        trees=int(known["trees"]),
        leaves=int(known["leaves"]),
        learning_rate=float(known["learning_rate"]),
        rows_a_leaf=int(known["rows_a_leaf"]),
        regularisation=float(known["regularisation"]),
    )
