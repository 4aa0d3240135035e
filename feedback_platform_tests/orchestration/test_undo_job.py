from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.orchestration.jobs import UNDO
from feedback_platform.orchestration.runs import RunFailedError
from feedback_platform_tests.installation import Installation


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        (" ", "Say why, in reason: it is shown beside the adjustment"),
        ("complaints", "There is no adjustment 'nosuch'. `feedback-platform adjustments list`"),
    ],
)
def test_undoing_needs_an_adjustment_and_a_reason(
    tmp_path: Path, reason: str, problem: str
) -> None:
    installation = Installation(tmp_path / "data")
    asked = {"undo": "nosuch", "reason": reason}

    with pytest.raises(RunFailedError, match=problem):
        installation.run(UNDO, {"ops": {"metrics__adjustments": {"config": asked}}})
