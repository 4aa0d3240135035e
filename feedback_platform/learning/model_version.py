"""The record of one trained model version, and the error when it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from feedback_platform.errors import PermanentError

_ADVICE = "Promote another version, or train again."

Metrics = Mapping[str, float | int | None]


class ModelUnusableError(PermanentError):
    """A model version is not there, is not complete, or is not what was registered."""

    def __init__(self, model: str, version: str, problem: str, advice: str = _ADVICE) -> None:
        super().__init__(f"The model {model}, version {version}, is unusable: {problem}. {advice}")
        self.model = model
        self.version = version
        self.problem = problem


@dataclass(frozen=True)
class Lineage:
    """What a version was made from, and whom it had to stand up to.

    Attributes:
        data_cut: the training data holds feedback up to this instant (UTC).
        data_through: the newest batch in the published tables it was trained on; with the lake, it
            names their rows exactly.
        code_version: of the code and libraries that trained it; see `code_version`.
        compared_with: the champion it was compared with, or None where there was none.
    """

    data_cut: datetime | None = None
    data_through: int | None = None
    code_version: str | None = None
    compared_with: str | None = None


@dataclass(frozen=True)
class ModelVersion:
    """What is known of one trained version; it never changes, but for users who are erased.

    Attributes:
        model: name of the model.
        version: sorts by time of training.
        trained_at: UTC.
        trigger: why it was trained, such as `schedule`, `drift` or `manual`.
        metrics: on the hold-out, such as `ndcg_at_10`.
        parameters: what it was trained with.
        files: name → SHA-256 of each file.
        reason: a remark at registration.
        lineage: what it was made from; of a version that an earlier release registered, only the
            data cut is known.
        decision: the gate's, with its evidence (`gate.Decision` as JSON has it); None where no
            gate was asked.
        replacing: name → SHA-256 of the content that is just taking the place of a file's, because
            users are erased from it; until then either is the file.
    """

    model: str
    version: str
    trained_at: datetime
    trigger: str
    metrics: Metrics
    parameters: Mapping[str, Any]
    files: Mapping[str, str]
    reason: str
    lineage: Lineage = field(default_factory=Lineage)
    decision: Mapping[str, Any] | None = None
    replacing: Mapping[str, str] = field(default_factory=dict)

    @property
    def known_until(self) -> datetime:
        """The instant (UTC) after which nothing can have been known in training."""
        cut = self.lineage.data_cut
        return self.trained_at if cut is None else max(self.trained_at, cut)
