"""Candidates: the best of several sources together, some two hundred for each user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ensemble import Ensemble, standardised
from feedback_platform.learning.ranker_features import Candidates
from feedback_platform.learning.ranking import PairMatrix, Scorer, Scores, blocks, top_items

CANDIDATES: Final = 200


def candidates_of(
    sources: Mapping[str, Scorer],
    instants: Mapping[str, datetime],
    seen: PairMatrix,
    size: int = CANDIDATES,
    *,
    is_listable: NDArray[np.bool_] | None = None,
) -> Iterator[Candidates]:
    """Return each user's candidates: the best of every source in turn, until there are enough.

    The arguments and errors are those of `blocks_of_candidates`.
    """
    found = blocks_of_candidates(sources, instants, seen, size, is_listable=is_listable)
    return chain.from_iterable(found)


def blocks_of_candidates(
    sources: Mapping[str, Scorer],
    instants: Mapping[str, datetime],
    seen: PairMatrix,
    size: int = CANDIDATES,
    *,
    is_listable: NDArray[np.bool_] | None = None,
) -> Iterator[list[Candidates]]:
    """Return what `candidates_of` does, of as many users at once as memory allows.

    Args:
        sources: name → scorer; all score the same items in the same order.
        instants: user → the instant of the request, in the order of `seen`'s rows.
        seen: (users x items), non-zero where the item must not be listed.
        size: how many candidates a user gets at most.
        is_listable: (items,), False for what nobody is listed; everything may be when left out.

    Raises:
        InvalidInputError: there is no source, or two score different items.
    """
    users = list(instants)
    catalogues = {tuple(source.item_ids) for source in sources.values()}
    if len(catalogues) != 1:
        raise InvalidInputError("Candidates need sources, and all have to score the same items.")
    for block in blocks(len(users), len(catalogues.pop()) * len(sources)):
        part = {user_id: instants[user_id] for user_id in users[block]}
        yield _of_block(sources, part, seen[block], size, is_listable)


def _of_block(
    sources: Mapping[str, Scorer],
    instants: Mapping[str, datetime],
    seen: PairMatrix,
    size: int,
    is_listable: NDArray[np.bool_] | None,
) -> list[Candidates]:
    scores = _said(sources, list(instants))
    listable = scores if is_listable is None else [_without(each, is_listable) for each in scores]
    best = [top_items(each, seen, size) for each in listable]
    found = []
    for row, (user_id, at) in enumerate(instants.items()):
        items = _in_turn([each[row] for each in best], size)
        said = np.stack([each[row, items] for each in scores], axis=1)
        found.append(Candidates(user_id, at, items, said))
    return found


def _said(sources: Mapping[str, Scorer], users: Sequence[str]) -> list[Scores]:
    """Return each source's standardised scores, (users x items).

    The sum of the sources beside it is made of theirs, not by asking each of them again.
    """
    said: dict[str, Scores] = {}
    for name, source in sources.items():
        if isinstance(source, Ensemble) and all(
            member.name in said and sources[member.name] is member.model
            for member in source.members
        ):
            scores = source.sum_of(said[member.name] for member in source.members)
        else:
            scores = source.scores(users)
        said[name] = standardised(scores)
    return list(said.values())


def _without(scores: Scores, is_listable: NDArray[np.bool_]) -> Scores:
    return np.where(is_listable, scores, np.float32(-np.inf))


def _in_turn(lists: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return the first of every list, then the second, and so on; each item once."""
    turns = np.stack(lists, axis=1).ravel()
    turns = turns[turns >= 0]
    _, first = np.unique(turns, return_index=True)
    chosen: np.ndarray = turns[np.sort(first)][:size]
    return chosen
