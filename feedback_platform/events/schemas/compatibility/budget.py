"""How much work a comparison may be: counted, so that no schema holds up those who come after."""

from __future__ import annotations

from typing import Final

# A step takes one to four microseconds.
STEPS: Final = 500_000
# How deeply schemas are followed into each other.
MAX_DEPTH: Final = 64


class TooComplexError(Exception):
    """The comparison would take longer than it is worth; nobody was proven wrong."""


class Budget:
    """The steps that are left to all comparisons of one request."""

    def __init__(self, steps: int = STEPS) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Take some steps.

        Raises:
            TooComplexError: so many are not left.
        """
        self._left -= steps
        if self._left < 0:
            raise TooComplexError(f"comparing the schemas takes more than {STEPS:,} steps")
