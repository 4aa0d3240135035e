"""Trying again, ever more slowly, while something that is needed does not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from feedback_platform.errors import TransientError

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


def persist(
    step: Callable[[], None],
    *,
    wait: Callable[[float], None],
    is_stopping: Callable[[], bool],
) -> None:
    """Do a step until it succeeds.

    Args:
        step: what to do; it may be done again after a TransientError.
        wait: passes so many seconds, or fewer when asked to stop.
        is_stopping: whether to give up after the next failure.

    Raises:
        TransientError: the step failed, and there is no time to try it again.
    """
    delay = FIRST_SECONDS
    failed_at: float | None = None
    while True:
        try:
            step()
        except TransientError as error:
            if is_stopping():
                raise
            failed_at = failed_at or time.monotonic()
            _log.warning("%s Nothing is lost; the next attempt is in %.1f s.", error, delay)
            wait(delay)
            delay = min(LONGEST_SECONDS, 2 * delay)
        else:
            if failed_at is not None:
                _log.info("Going on after %.1f s.", time.monotonic() - failed_at)
            return
