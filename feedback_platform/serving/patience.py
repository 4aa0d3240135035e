"""How long the server waits for a request that has begun."""

from __future__ import annotations

from typing import Final

# For the whole head; then without a byte of the body; then on top of what the rate allows.
REQUEST_SECONDS: Final = 15.0
MIN_BYTES_PER_SECOND: Final = 4096


class Patience:
    """Waits for a sender as long as content keeps coming.

    A slow line that sends steadily is no attack, so there is no fixed end for a whole request. Its
    head has a few seconds. So has each pause within its body, and a body that took longer in all
    must have come at a minimum rate on average. That ends every request that is read, since a
    body's size is limited: the largest batch of 500 KB has 140 s. The rest of a body that was
    answered before it had come has the few seconds only, at any rate. Whoever wants to keep the
    memory that is set aside for a body has to keep paying for it with traffic. Only content counts:
    headers, trailers and what is around a chunk can be drawn out without end.
    """

    def __init__(self, seconds: float, bytes_per_second: float) -> None:
        self._seconds = seconds
        self._bytes_per_second = bytes_per_second
        self._since: float | None = None
        self._last = 0.0
        self._received = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a request, or its beginning, is awaited."""
        return self._since is not None

    def begin(self, now: float) -> None:
        """Begin to wait for the next part of a request: its head, or its body."""
        self._since = self._last = now
        self._received = 0

    def note(self, now: float, size: int) -> None:
        """Take note of content that came."""
        self._last = now
        self._received += size

    def end(self) -> None:
        """Wait no longer: the request is complete."""
        self._since = None

    def rest(self, now: float) -> float:
        """Return for how many seconds from now there is patience; there is some while idle."""
        if self._since is None:
            return self._seconds
        earned = self._received / self._bytes_per_second
        return self._seconds - max(now - self._last, now - self._since - earned)
