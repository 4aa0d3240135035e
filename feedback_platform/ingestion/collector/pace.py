"""How long the collector waits for more before it writes the next object."""

from __future__ import annotations

from typing import Final

SHORTEST: Final = 0.025
LONGEST: Final = 0.25
# A steady stream of small objects comes to this many in five minutes.
BURST: Final = 1200
# Of lines, before compression: an object of this size is worth its key.
DECENT_BYTES: Final = 128 * 1024


class Pace:
    """Small objects are paid from a budget, and the emptier it is, the longer the next one waits.

    An object of s bytes costs max(0, 1 - s / DECENT_BYTES). The budget holds at most BURST and
    fills by 1 / LONGEST a second. Between the beginnings of two writes lie at least

        linger = LONGEST - (LONGEST - SHORTEST) x budget / BURST

    seconds. So a short or heavy stream is written every 25 ms (heavy: its objects are decent, they
    cost nothing). A steady light one comes to rest where it spends what flows in: an object every
    250 ms. In an hour that is at most 14,400, one for each DECENT_BYTES of lines, and BURST more in
    the first. Whoever comes after a pause is written at once: the linger counts from the last
    write, not from the arrival. A store whose own PUT takes longer sets its own pace, since
    objects are written one after another.

    Times are seconds of one monotonic clock.
    """

    def __init__(self, now: float) -> None:
        self._budget = float(BURST)
        self._at = now
        self._last_began: float | None = None

    def delay(self, now: float) -> float:
        """Return the seconds until the next write may begin."""
        self._refill(now)
        if self._last_began is None:
            return 0.0
        linger = LONGEST - (LONGEST - SHORTEST) * self._budget / BURST
        return max(0.0, self._last_began + linger - now)

    def began(self, size: int, now: float) -> None:
        """Account for an object of so many bytes of lines whose write begins."""
        self._refill(now)
        self._last_began = now
        self._budget = max(0.0, self._budget - max(0.0, 1 - size / DECENT_BYTES))

    def _refill(self, now: float) -> None:
        self._budget = min(float(BURST), self._budget + (now - self._at) / LONGEST)
        self._at = now
