"""What says that a server is to stop, from the moment on at which somebody listens."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

# By its number: what Python puts before it may be closed.
_STDERR: Final = 2
STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """The signals that came, in their order; no one of them is lost or interrupts anything."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._listeners: list[Callable[[int], None]] = []

    def __len__(self) -> int:
        """Return how many came; with the first, the server is to stop."""
        return len(self._came)

    @property
    def is_urgent(self) -> bool:
        """Whether somebody pressed Ctrl-C again while the server stopped."""
        return len(self._came) > 1 and self._came[-1] == signal.SIGINT

    def tell(self, listener: Callable[[int], None]) -> None:
        """Call a listener with each signal, also with those that came before it."""
        self._listeners.append(listener)
        for number in tuple(self._came):
            listener(number)

    def note(self, number: int, _frame: FrameType | None = None) -> None:
        """Take note of a signal, as a handler of signals does."""
        self._came.append(number)
        for listener in tuple(self._listeners):
            listener(number)


@contextmanager
def noted_signals(*, seconds: float) -> Iterator[StopSignals]:
    """Take note of what says stop; who has not left the block in time is ended, and says where.

    Args:
        seconds: from the first signal on. Then the process writes on stderr what each of its
            threads does, and ends with exit code 1, however it hangs: no Python runs for it.
    """
    signals = StopSignals()

    def watch(_number: int) -> None:
        # Once: further signals give no more time.
        if len(signals) == 1:
            faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)

    # A hang-up that is ignored is so on purpose: nohup. The others are inherited by accident, of a
    # script's background or of a program that ignored them for itself.
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    taken = [each for each in STOPPING if not (each is signal.SIGHUP and is_ignored)]
    signals.tell(watch)
    before = {each: signal.signal(each, signals.note) for each in taken}
    try:
        yield signals
    finally:
        faulthandler.cancel_dump_traceback_later()
        for each, handler in before.items():
            signal.signal(each, handler)
