"""What every page is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feedback_platform.dashboard.choice import Bucket, Choice
from feedback_platform.dashboard.data.span import Choices
from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform.dashboard.theme import Look


@dataclass(frozen=True)
class View:
    """One look at one publication.

    Attributes:
        snapshot: what is asked.
        choices: what there was to choose from.
        choice: what was chosen.
        look: the colours of the browser's theme.
        now: when the page is made (UTC).
    """

    snapshot: Snapshot
    choices: Choices
    choice: Choice
    look: Look
    now: datetime

    @property
    def bucket(self) -> Bucket:
        """What a point of a chart over time stands for."""
        return self.choice.period.bucket
