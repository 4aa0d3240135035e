"""From a user to ranked candidates: the sources, the ranker, and what is known at the instant.

The lists of everybody, the hold-out's and a request's go this way. For a request the candidates may
have been found before; `rank` orders them with what is known now, in about a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranker import Ranker
from feedback_platform.learning.ranker_candidates import CANDIDATES, candidates_of
from feedback_platform.learning.ranker_features import OF_SOURCES, Candidates, Features
from feedback_platform.learning.ranker_history import History
from feedback_platform.learning.ranking import PairMatrix, Ranked, Scorer

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CandidateRanker:
    """Sources and the ranker that has learned from them, with a history.

    Attributes:
        sources: name → scorer, in the order the ranker has learned.
        ranker: what orders the candidates.
        known: the history, over the items of the sources.

    Raises:
        InvalidInputError: the ranker has learned from other sources.
    """

    sources: Mapping[str, Scorer]
    ranker: Ranker
    known: History

    def __post_init__(self) -> None:
        if tuple(self.sources) != self.ranker.sources:
            raise InvalidInputError(
                f"The ranker has learned from {', '.join(self.ranker.sources)}, and cannot rank "
                f"candidates of {', '.join(self.sources)}."
            )

    def candidates(
        self,
        instants: Mapping[str, datetime],
        seen: PairMatrix,
        size: int = CANDIDATES,
        *,
        is_listable: NDArray[np.bool_] | None = None,
    ) -> Iterator[Candidates]:
        """Return each user's candidates with the sources' scores; see `candidates_of`."""
        return candidates_of(self.sources, instants, seen, size, is_listable=is_listable)

    def rank(self, candidates: Candidates) -> tuple[NDArray[np.int64], Probabilities]:
        """Return the items, best first, and the probability of each; see `Ranker.rank`."""
        return self.ranker.rank(self.known, candidates)

    def best(
        self,
        instants: Mapping[str, datetime],
        seen: PairMatrix,
        k: int,
        *,
        is_listable: NDArray[np.bool_] | None = None,
    ) -> tuple[Ranked, Probabilities]:
        """Return each user's k best candidates and their probabilities, both (users x k).

        Args:
            instants: user → the instant of the request, in the order of `seen`'s rows.
            seen: (users x items), non-zero where the item must not be listed.
            k: how many; -1 and 0 stand where a user has fewer.
            is_listable: (items,), False for what nobody is listed.
        """
        items, probabilities, _ = self.best_by_sources(instants, seen, k, is_listable=is_listable)
        return items, probabilities

    def best_by_sources(
        self,
        instants: Mapping[str, datetime],
        seen: PairMatrix,
        k: int,
        *,
        is_listable: NDArray[np.bool_] | None = None,
    ) -> tuple[Ranked, Probabilities, Features]:
        """Return what `best` does, and what the sources said of each.

        The third array is (users x k x (sources + `OF_SOURCES`)): those of the features that depend
        on the sources alone.
        """
        width = len(self.sources) + OF_SOURCES
        ranked = np.full((len(instants), k), -1, dtype=np.int64)
        probabilities = np.zeros((len(instants), k))
        said = np.zeros((len(instants), k, width), dtype=np.float32)
        found = self.candidates(instants, seen, is_listable=is_listable)
        for row, candidates in enumerate(found):
            items, chances, features = self.ranker.ranked(self.known, candidates)
            length = min(k, len(items))
            ranked[row, :length], probabilities[row, :length] = items[:k], chances[:k]
            said[row, :length] = features[:k, :width]
        return ranked, probabilities, said
