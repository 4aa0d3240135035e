"""Whether the arms are as large as the split says: where they are not, no result counts.

Pearson's chi-square against the shares of the split (Fabijan et al. 2019, "Diagnosing sample ratio
mismatch in online controlled experiments", KDD).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# An experiment is not thrown away for what happens to one in twenty.
MISMATCH: Final = 0.001


def sample_ratio_p_value(users: Mapping[str, int], split: Mapping[str, float]) -> float:
    """Return how likely arms are so far from their shares by chance; 1 of nobody.

    Args:
        users: variant → how many were exposed; one that is missing has none.
        split: variant → its share, in any unit.
    """
    everybody = sum(users.get(name, 0) for name in split)
    if everybody == 0:
        return 1.0
    # A tenth of a second nobody else should pay.
    from scipy.special import chdtrc  # noqa: PLC0415

    whole = sum(split.values())
    expected = {name: everybody * share / whole for name, share in split.items()}
    distance = sum((users.get(name, 0) - mean) ** 2 / mean for name, mean in expected.items())
    return float(chdtrc(len(split) - 1, distance))
