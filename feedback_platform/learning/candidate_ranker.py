"""From a user to ranked candidates: the sources, the ranker, and what is known at the instant.

The lists of everybody, the hold-out's and a request's go this way. For a request the candidates may
have been found before; `rank` orders them with what is known now, in about a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranker import Ranker, in_order
from feedback_platform.learning.ranker_candidates import (
    CANDIDATES,
    blocks_of_candidates,
    candidates_of,
)
from feedback_platform.learning.ranker_features import OF_SOURCES, Candidates, Features
from feedback_platform.learning.ranker_history import History
from feedback_platform.learning.ranking import PairMatrix, Ranked, Scorer
from feedback_platform.reading_ahead import read_ahead

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
        row = 0
        for block, rows in self._blocks(instants, seen, is_listable):
            sums = self.ranker.trees.predict(rows)
            ends = np.cumsum([len(candidates.items) for candidates in block])
            for candidates, end in zip(block, ends.tolist(), strict=True):
                part = slice(end - len(candidates.items), end)
                items, values, features = in_order(candidates, rows[part], sums[part])
                length = min(k, len(items))
                ranked[row, :length] = items[:k]
                probabilities[row, :length] = self.ranker.calibration.probabilities(values[:k])
                said[row, :length] = features[:k, :width]
                row += 1
        return ranked, probabilities, said

    def _blocks(
        self,
        instants: Mapping[str, datetime],
        seen: PairMatrix,
        is_listable: NDArray[np.bool_] | None,
    ) -> Iterator[tuple[list[Candidates], Features]]:
        """Return blocks of candidates with their features, one below the other.

        A thread looks for candidates and another one makes features while the caller's has the
        trees predict: each spends most of its time where other threads may run.
        """
        found = blocks_of_candidates(self.sources, instants, seen, is_listable=is_listable)
        return read_ahead((block, self._features(block)) for block in read_ahead(found))

    def _features(self, block: Sequence[Candidates]) -> Features:
        return np.concatenate([self.ranker.rows(self.known, candidates) for candidates in block])
