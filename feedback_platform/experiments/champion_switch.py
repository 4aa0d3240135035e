"""The model registry as shipping sees it: a version that is made the champion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.freezes import refuse_while_frozen
from feedback_platform.learning.model_version import ModelUnusableError


class ChampionSwitch:
    """Promotes versions; the lists are made anew by who looks after them.

    Args:
        lake: where models are kept.
        clock: returns now (UTC).
    """

    def __init__(self, lake: Lake, clock: Callable[[], datetime]) -> None:
        self._lake = lake
        self._clock = clock

    def promote(self, model: str, version: str, *, reason: str) -> None:
        """Make a version the champion, where it is not so already.

        Raises:
            CannotChangeError: there is no such version, it is damaged, or promotion is frozen.
        """
        now = self._clock()
        try:
            refuse_while_frozen(self._lake, model, version, now)
            champions.promote(self._lake, model, version, at=now, reason=reason)
        except (InvalidInputError, ModelUnusableError) as error:
            raise CannotChangeError(str(error)) from error
