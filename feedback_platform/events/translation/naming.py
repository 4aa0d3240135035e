"""When two names of an event are one: Product Viewed, product_viewed, productViewed."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

# Names are remembered while they are folded; longer ones are no names.
LONGEST_NAME: Final = 200


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """Return what is left of a name without its case, blanks and punctuation."""
    letters = "".join(filter(str.isalnum, name.casefold()))
    # Nothing else tells apart names that are made of signs alone.
    return letters or name
