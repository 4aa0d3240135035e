"""What the writer of a collector has done so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from feedback_platform.ingestion.collector.distribution import Distribution

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BYTES: Final = (1e3, 1e4, 1e5, 1e6, 4e6, 1.6e7)


@dataclass
class CommitTally:
    """Counts from the start of the process on.

    Attributes:
        events: that are durable; one sent twice counts twice.
        size: of their lines in bytes, before compression.
        failures: writes that failed.
        seconds: that a write took, also one that failed.
        sizes: of what was written at once, in bytes before compression.
    """

    events: int = 0
    size: int = 0
    failures: int = 0
    seconds: Distribution = field(default_factory=lambda: Distribution(_SECONDS))
    sizes: Distribution = field(default_factory=lambda: Distribution(_BYTES))
