from __future__ import annotations

import pytest

from feedback_platform.errors import PermanentError, TransientError
from feedback_platform.ingestion.streams.patience import persist


class Step:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.waits: list[float] = []

    def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


def test_a_step_that_fails_is_tried_again_ever_more_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    step = Step(*[TransientError("The lake failed.")] * 8)
    persist(step, wait=step.waits.append, is_stopping=lambda: False)
    assert step.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert "The lake failed. Nothing is lost; the next attempt is in 0.5 s." in caplog.text


def test_a_failure_that_does_not_pass_is_raised() -> None:
    step = Step(PermanentError("no"))
    with pytest.raises(PermanentError):
        persist(step, wait=step.waits.append, is_stopping=lambda: False)
    assert step.waits == []


def test_who_is_told_to_stop_tries_once_more() -> None:
    step = Step(TransientError("first"), TransientError("second"))
    with pytest.raises(TransientError, match="second"):
        persist(step, wait=step.waits.append, is_stopping=lambda: bool(step.waits))
    assert step.waits == [0.5]
