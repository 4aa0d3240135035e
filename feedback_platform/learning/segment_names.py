"""Readable names for segments, from what their users prefer more than everybody does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

# A category names a segment when its users give it at least this many times the average share.
_MINIMUM_LIFT: Final = 1.1
# A second category joins the name when it marks the segment at least half as much as the first.
# It leaves later than it joins, or a name would change back and forth with every new day.
_JOINS_AT: Final = 0.5
_LEAVES_BELOW: Final = 0.25
_MIXED: Final = "Mixed interests"
_AND: Final = " & "


def segment_name(
    categories: Sequence[str],
    shares: NDArray[np.float64],
    average: NDArray[np.float64],
    *,
    taken: Sequence[str] = (),
) -> str:
    """Return a readable name from the categories that mark a segment, such as `Reports & Alerts`.

    A category marks a segment by share · ln(share / average), its part of the Kullback-Leibler
    divergence: a high lift on a negligible share does not make a name.

    Args:
        categories: names of the categories.
        shares: (categories,), the segment's mean shares.
        average: (categories,), everybody's mean shares.
        taken: names of other segments; further categories, then a number, keep this one apart.
    """
    order, weight, lift = _marks(shares, average)
    marking = [c for c in order if lift[c] >= _MINIMUM_LIFT]
    if not marking:
        candidates = [_MIXED]
    else:
        is_pair = len(marking) > 1 and weight[marking[1]] >= _JOINS_AT * weight[marking[0]]
        shortest = 2 if is_pair else 1
        candidates = [
            _AND.join(_title(categories[c]) for c in marking[:length])
            for length in range(shortest, len(marking) + 1)
        ]
    free = [name for name in candidates if name not in taken]
    if free:
        return free[0]
    number = 2
    while f"{candidates[0]} {number}" in taken:
        number += 1
    return f"{candidates[0]} {number}"


def still_fits(
    name: str,
    categories: Sequence[str],
    shares: NDArray[np.float64],
    average: NDArray[np.float64],
) -> bool:
    """Return whether a segment may keep the name that it had.

    The category that marks it most has to be in the name, and every one in the name has to mark it
    still, a quarter as much as that at least.

    Args:
        name: what `segment_name` returned at some time.
        categories: names of the categories.
        shares: (categories,), the segment's mean shares now.
        average: (categories,), everybody's mean shares now.
    """
    order, weight, lift = _marks(shares, average)
    unnumbered = re.sub(r" \d+$", "", name)
    if unnumbered == _MIXED:
        return bool((lift < _MINIMUM_LIFT).all())
    titles = {_title(category): place for place, category in enumerate(categories)}
    named = _named(name, titles) or _named(unnumbered, titles)
    return order[0] in named and all(
        lift[c] > 1 and weight[c] >= _LEAVES_BELOW * weight[order[0]] for c in named
    )


def lifts(shares: NDArray[np.float64], average: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shares over average shares; 0 where nobody has any."""
    return np.divide(shares, average, out=np.zeros_like(shares), where=average > 0)


def _marks(
    shares: NDArray[np.float64], average: NDArray[np.float64]
) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
    """Return the categories, first what marks the segment most; how much; and their lifts."""
    lift = lifts(shares, average)
    weight = shares * np.log(np.maximum(lift, 1e-12))
    return np.lexsort((np.arange(len(shares)), -weight)).tolist(), weight, lift


def _named(name: str, titles: Mapping[str, int]) -> list[int]:
    """Return the categories whose titles make up a name; none when there is no such way."""
    if name in titles:
        return [titles[name]]
    # A title may hold the word that joins titles.
    for title, category in titles.items():
        rest = name.removeprefix(title + _AND)
        if rest != name and (others := _named(rest, titles)):
            return [category, *others]
    return []


def _title(category: str) -> str:
    words = category.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
