"""Candidates: the best of several sources together, some two hundred for each user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ensemble import standardised
from feedback_platform.learning.ranker_features import Candidates
from feedback_platform.learning.ranking import PairMatrix, Scorer, blocks, top_items

CANDIDATES: Final = 200


def candidates_of(
    sources: Mapping[str, Scorer],
    instants: Mapping[str, datetime],
    seen: PairMatrix,
    size: int = CANDIDATES,
) -> Iterator[Candidates]:
    """Return each user's candidates: the best of every source in turn, until there are enough.

    Args:
        sources: name → scorer; all score the same items in the same order.
        instants: user → the instant of the request, in the order of `seen`'s rows.
        seen: (users x items), non-zero where the item must not be listed.
        size: how many candidates a user gets at most.

    Raises:
        InvalidInputError: there is no source, or two score different items.
    """
    users = list(instants)
    catalogues = {tuple(source.item_ids) for source in sources.values()}
    if len(catalogues) != 1:
        raise InvalidInputError("Candidates need sources, and all have to score the same items.")
    for block in blocks(len(users), len(catalogues.pop()) * len(sources)):
        part = users[block]
        scores = [standardised(source.scores(part)) for source in sources.values()]
        best = [top_items(each, seen[block], size) for each in scores]
        for row, user_id in enumerate(part):
            items = _in_turn([each[row] for each in best], size)
            said = np.stack([each[row, items] for each in scores], axis=1)
            yield Candidates(user_id, instants[user_id], items, said)


def _in_turn(lists: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return the first of every list, then the second, and so on; each item once."""
    turns = np.stack(lists, axis=1).ravel()
    turns = turns[turns >= 0]
    _, first = np.unique(turns, return_index=True)
    chosen: np.ndarray = turns[np.sort(first)][:size]
    return chosen
