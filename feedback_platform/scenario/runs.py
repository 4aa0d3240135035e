"""What happens behind the server: whoever runs the platform's jobs for a story."""

from __future__ import annotations

from typing import Protocol

from feedback_platform.learning.learned_tables import Training


class Runs(Protocol):
    """Runs jobs at the time of the story's clock."""

    def process(self) -> None:
        """Bring everything that has landed through to the published tables."""

    def train(self, trigger: str) -> None:
        """Retrain, evaluate, promote or reject, segment, recommend, publish."""

    def answer_drift(self) -> bool:
        """Run the trainings that the drift sensor asks for now; return whether it asked for any."""

    def push(self, train: Training) -> str:
        """Let the gate judge a model that somebody else makes; return its version."""
