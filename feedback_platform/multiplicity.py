"""What a p-value is worth among others.

Holm's step-down procedure (Holm 1979, "A simple sequentially rejective multiple test procedure",
Scandinavian Journal of Statistics 6, 65 to 70). It bounds the chance that anything at all is found
where nothing is, whatever the tests have to do with each other, and for always-valid p-values as
well: that is what a decision to ship, or an alarm about one of many features, can be wrong by.
Benjamini and Hochberg bound the share of false findings among many instead, of tests that must not
run against each other.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return each p-value adjusted for all of them, in their order."""
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    by_size = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(by_size):
        largest = max(largest, min((len(p_values) - rank) * p_values[place], 1.0))
        adjusted[place] = largest
    return adjusted
