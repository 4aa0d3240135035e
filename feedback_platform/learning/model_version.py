"""The record of one trained model version, and the error when it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feedback_platform.errors import PermanentError
from feedback_platform.learning.gate import Metrics

_ADVICE = "Promote another version, or train again."


class ModelUnusableError(PermanentError):
    """A model version is not there, is not complete, or is not what was registered."""

    def __init__(self, model: str, version: str, problem: str, advice: str = _ADVICE) -> None:
        super().__init__(f"The model {model}, version {version}, is unusable: {problem}. {advice}")
        self.model = model
        self.version = version


@dataclass(frozen=True)
class ModelVersion:
    """What is known of one trained version; it never changes.

    Attributes:
        model: name of the model.
        version: sorts by time of training.
        trained_at: UTC.
        trigger: why it was trained, such as `schedule`, `drift` or `manual`.
        data_cut: the training data holds feedback up to this instant (UTC).
        metrics: on the hold-out, such as `ndcg_at_10`.
        parameters: what it was trained with.
        files: name → SHA-256 of each file.
        reason: a remark at registration.
    """

    model: str
    version: str
    trained_at: datetime
    trigger: str
    data_cut: datetime | None
    metrics: Metrics
    parameters: Mapping[str, Any]
    files: Mapping[str, str]
    reason: str
