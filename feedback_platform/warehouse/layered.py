"""When a table that is kept as a base and layers is merged, so that reading and writing stay cheap.

Of a table with keys a publication writes the rows that changed into a layer; a reader takes of each
key the row of the newest layer that has it, or that of the base. What is new stays cheap to write,
and two rules keep the rest in bounds: a layer takes up those before it that it is not much smaller
than, so that there are as many as the logarithm of their rows; and layers that have grown large
beside the base are given up for a new one, so that a reader never looks at much more than the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# A table with no more rows is written whole: that costs less than readers putting it together.
SMALL_ROWS: Final = 50_000
# The layers hold at most this part of what the base holds.
SHARE_OF_BASE: Final = 8


def is_worth_layers(base: int, layers: Sequence[int], new: int) -> bool:
    """Return whether one more layer is better than a base written anew.

    Args:
        base: rows of the base.
        layers: rows of each layer.
        new: rows of the layer that would come on top.
    """
    return base > SMALL_ROWS and (sum(layers) + new) * SHARE_OF_BASE <= base


def layers_taken_up(layers: Sequence[int], new: int) -> int:
    """Return how many of the newest layers a new one takes up.

    It takes up its neighbour when it is at least half as large, with that the next, and so on. So
    each that is left is less than half as large as the one before it, and a row is written again
    only into a layer that is half as large again as the one it comes from.

    Args:
        layers: rows of each layer, the oldest first.
        new: rows of the layer that comes on top.
    """
    taken, rows = 0, new
    for neighbour in reversed(layers):
        if 2 * rows < neighbour:
            break
        taken, rows = taken + 1, rows + neighbour
    return taken
