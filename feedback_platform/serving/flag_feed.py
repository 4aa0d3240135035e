"""The flags in the memory of a serving process, kept up to date beside the requests."""

from __future__ import annotations

from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.serving.log_feed import LOOK_SECONDS, LogFeed


class FlagFeed(LogFeed[FlagSet]):
    """Looks for changed flags."""

    def __init__(self, flags: Flags, *, look_seconds: float = LOOK_SECONDS) -> None:
        super().__init__(
            flags.refresh,
            what="The flags",
            entry="A change of flags",
            look_seconds=look_seconds,
        )
