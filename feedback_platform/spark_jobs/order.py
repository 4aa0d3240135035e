"""What a Spark job is told when it is started, and how it answers; all of it goes through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from feedback_platform.cleaning.task import CleaningTask

# The message of a job that failed: its words, and whether another attempt is in vain.
FAILURE: Final = "failure"
IS_PERMANENT: Final = "is_permanent"


@dataclass(frozen=True)
class CleaningOrder:
    """What to clean, where, and by what.

    Attributes:
        lake_url: the object store; the job has rights of its own there.
        rules_version: of the cleaning rules, which lie in the lake under it.
        mapping: what the user's file of event names says, or None.
        task: what to clean.
    """

    lake_url: str
    rules_version: str
    mapping: str | None
    task: CleaningTask

    def written(self) -> dict[str, Any]:
        """Return values that JSON knows."""
        return {**vars(self), "task": self.task.written()}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> CleaningOrder:
        """Return what the other side wrote."""
        return cls(**{**written, "task": CleaningTask.read(written["task"])})
