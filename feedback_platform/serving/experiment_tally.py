"""How often something happened by experiment and variant, for /metrics."""

from __future__ import annotations

from collections import Counter
from typing import Final

from feedback_platform.experiments.running import Assignment

# Each is a series that whoever collects the metrics has to store; experiments come and go.
MOST_SERIES: Final = 200
_OTHERS: Final = ("other", "other")


class ExperimentTally:
    """Counts; what comes after the first so many variants counts as `other`.

    Attributes:
        counts: by experiment and variant.
    """

    def __init__(self, *, most: int = MOST_SERIES) -> None:
        self._most = most
        self.counts: Counter[tuple[str, str]] = Counter()

    def note(self, assignment: Assignment) -> None:
        """Count one."""
        of = (assignment.experiment_id, assignment.variant)
        if of not in self.counts and len(self.counts) >= self._most:
            of = _OTHERS
        self.counts[of] += 1
