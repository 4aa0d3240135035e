"""How new the flags are that a process evaluates: by their own log, and by that of experiments.

Whoever listens for changed flags is told when an experiment gives somebody another variant, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from datetime import datetime
from typing import Final

from feedback_platform.serving.experiment_feed import ExperimentFeed
from feedback_platform.serving.flag_feed import FlagFeed

# Positions have fewer digits than would be worth a client's while.
_TAG: Final = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?", re.ASCII)


class FlagNews:
    """Both feeds, as one that OpenFeature's clients follow."""

    def __init__(self, flags: FlagFeed, experiments: ExperimentFeed) -> None:
        self.flags = flags
        self.experiments = experiments
        self._changed = asyncio.Event()
        for feed in (flags, experiments):
            feed.tell(self._note_change)

    @property
    def tag(self) -> str:
        """What tells states apart: the flags' position, and the experiments' where there are any.

        It is no sum: two processes, each behind in another log, must not seem to be equal.
        """
        flags, experiments = self.flags.current, self.experiments.experiments
        position = flags.position if flags else 0
        return f"{position}-{experiments.position}" if experiments.position else str(position)

    @property
    def changed_at(self) -> float:
        """When something was new last, by the event loop's clock."""
        return max(self.flags.changed_at, self.experiments.changed_at)

    @property
    def written_at(self) -> datetime | None:
        """When the newest entry was written, UTC; None before the first."""
        current, experiments = self.flags.current, self.experiments.experiments
        times = [entry.author.at for entry in experiments.started.values()]
        times += [entry.author.at for entry in experiments.stopped.values()]
        if current is not None and current.changed_at is not None:
            times.append(current.changed_at)
        return max(times, default=None)

    async def reach(self, tag: str) -> None:
        """Wait, not for long, until all is as new as a client was told that it is."""
        known = _TAG.fullmatch(tag)
        if known is None:
            return
        flags, experiments = known.groups()
        await asyncio.gather(
            self.flags.reach(int(flags)), self.experiments.reach(int(experiments or 0))
        )

    def next_change(self) -> Awaitable[object]:
        """Return what to wait for until there is something new from now on."""
        return self._changed.wait()

    def _note_change(self) -> None:
        # Whoever waits is woken; who comes later waits for the next change.
        self._changed.set()
        self._changed = asyncio.Event()
