"""What makes one recommender out of given data, as a version's parameters tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ensemble import fit_ensemble
from feedback_platform.learning.popularity import fit_popularity
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.sources import Source, TrainingInput, source_of, within_reach

_SOURCES: Final = "sources"
_WEIGHT: Final = "weight"


@dataclass(frozen=True)
class Recipe:
    """Candidate sources that were chosen once, and can be fitted on any data.

    Attributes:
        sources: each with its weight in the sum.
        seed: of the sources that draw.
        threshold: a score from here on is positive.
    """

    sources: tuple[tuple[Source, float], ...]
    seed: int
    threshold: float

    @property
    def stored(self) -> dict[str, Any]:
        """The recipe as JSON can express it."""
        return {
            _SOURCES: [{**source.description, _WEIGHT: weight} for source, weight in self.sources],
            "seed": self.seed,
            "threshold": self.threshold,
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Recipe:
        """Return the recipe in a version's parameters.

        Raises:
            InvalidInputError: this release can make nothing of them.
        """
        try:
            sources = tuple((_source(known), float(known[_WEIGHT])) for known in stored[_SOURCES])
            recipe = cls(sources, int(stored["seed"]), float(stored["threshold"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError(f"a recipe lacks or mistakes {error}") from error
        if not sources or any(weight <= 0 for _, weight in sources):
            raise InvalidInputError("a recipe needs sources, each of a weight above 0")
        return recipe

    def fit(self, data: TrainingInput) -> Recommender:
        """Train on data; a source that cannot learn from so much is left out of the sum.

        Raises:
            InvalidInputError: a frame is malformed, or no source can learn from so much.
            NothingToLearnError: there is no preference to learn.
        """
        preferences = data.preferences
        sources = tuple(source for source, _ in self.sources)
        able = within_reach(sources, *preferences.weights.shape)
        weights = {source.name: weight for source, weight in self.sources}
        return Recommender(
            ensemble=fit_ensemble(data, able, weights, seed=self.seed),
            popularity=fit_popularity(
                data.scores, item_ids=preferences.item_ids, threshold=data.threshold
            ),
            user_ids=preferences.user_ids,
        )


def _source(known: Mapping[str, Any]) -> Source:
    return source_of({name: value for name, value in known.items() if name != _WEIGHT})
