"""Few and small candidate sources, for tests that are about something else."""

from __future__ import annotations

from typing import Final

from feedback_platform.learning.factorisation import FactorisationParameters
from feedback_platform.learning.sources import Source, item_ease, lightfm, popularity

SMALL_LIGHTFM: Final = lightfm("small", FactorisationParameters(components=4, epochs=10))
# Knows next to nothing.
TINY_LIGHTFM: Final = lightfm("tiny", FactorisationParameters(components=1, epochs=1))
FEW_SOURCES: Final[tuple[Source, ...]] = (item_ease(10), SMALL_LIGHTFM, popularity())
