"""What users did in the last minutes, as far as this server's collector has stored it.

An event is kept as it came, and understood when its user's next list is asked for: most users ask
for none. Everything is bounded: how old it may be, how many events a user has, how many bytes all
of them take together; the oldest go first. A neighbour tells what it has stored in the same form.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from feedback_platform.ingestion.collector.audience import Accepted
from feedback_platform.lake.tombstones import ANONYMOUS
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.serving.neighbours import MAX_MESSAGE_BYTES, Neighbours
from feedback_platform.serving.session_events import UserEvent

TOPIC: Final = b"session"
# What an event takes beside its line and its user's name: its place in two queues.
_OVERHEAD_BYTES: Final = 500
_BETWEEN: Final = b"\n"
_ROOM: Final = MAX_MESSAGE_BYTES - len(TOPIC) - 1
_MOST_DEVICES_OF_ONE: Final = 8
# Of a device's and its user's name together; those that libraries make have 36 characters.
_LONGEST_NAMES: Final = 300


@dataclass(frozen=True)
class SessionLimits:
    """How much is remembered.

    Attributes:
        seconds: of an event, since it was stored.
        events_per_user: the newest of them.
        total_bytes: of all events together.
        devices: of which it is remembered whose they are.
    """

    seconds: float = 1800.0
    events_per_user: int = 100
    total_bytes: int = 64 << 20
    devices: int = 100_000


class _Kept:
    """An event as it came, or what it came to, when somebody wanted to know."""

    __slots__ = ("events", "expires_at", "key", "line", "size")

    def __init__(self, key: str, line: bytes, expires_at: float) -> None:
        self.key = key
        self.line = line
        self.expires_at = expires_at
        self.size = len(line) + sys.getsizeof(key) + _OVERHEAD_BYTES
        self.events: tuple[UserEvent, ...] | None = None


class SessionMemory:
    """Remembers events by user; a device of nobody known is a user, as in the layers."""

    def __init__(
        self,
        neighbours: Neighbours,
        interpret: Callable[[bytes], tuple[UserEvent, ...]],
        *,
        limits: SessionLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to remember.

        Args:
            neighbours: who is told, and who tells.
            interpret: what a kept line came to; it never fails.
            limits: how much is remembered.
            clock: seconds.
        """
        self._neighbours = neighbours
        self._interpret = interpret
        self._limits = limits or SessionLimits()
        self._clock = clock
        # In the order in which they go: the oldest first.
        self._kept: deque[_Kept] = deque()
        self._by_user: dict[str, list[_Kept]] = {}
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._devices: dict[str, list[str]] = {}
        self._bytes = 0
        neighbours.subscribe(TOPIC, self._take)

    @property
    def held_bytes(self) -> int:
        """How much memory the events take, about."""
        return self._bytes

    @property
    def events(self) -> int:
        """How many events are remembered."""
        return len(self._kept)

    def hear(self, accepted: Sequence[Accepted]) -> None:
        """Take events that are durable by now, and tell the neighbours."""
        self._remember(accepted)
        if self._neighbours.are_there:
            for message in _packed(accepted):
                self._neighbours.send(TOPIC, message)

    def of(self, user_id: str) -> list[SessionEvent]:
        """Return what a user did, each event once: the newest of it."""
        self._neighbours.receive()
        self._forget_old()
        found: dict[str, SessionEvent] = {}
        for key in self._keys_of(user_id):
            for kept in self._by_user.get(key, ()):
                if kept.events is None:
                    kept.events = self._interpret(kept.line)
                    # From here on what it came to is kept in its place.
                    kept.line = b""
                for event in kept.events:
                    found.setdefault(event.event_id, event.event)
        events = list(found.values())
        if len(events) > self._limits.events_per_user:
            # A line may come to several events, and devices have some of their own.
            events.sort(key=lambda event: event.at)
            del events[: -self._limits.events_per_user]
        return events

    def forget(self, user_ids: Iterable[str]) -> None:
        """Forget what users did, and which devices are theirs."""
        for user_id in user_ids:
            for key in list(self._keys_of(user_id)):
                for kept in self._by_user.pop(key, ()):
                    # Its place in the common queue is given up when its turn comes.
                    self._release(kept)
            for device in self._devices.pop(user_id, ()):
                del self._owners[device]

    def _keys_of(self, user_id: str) -> Iterator[str]:
        if user_id.startswith(ANONYMOUS) and user_id.removeprefix(ANONYMOUS) in self._owners:
            # What was done on it is its owner's.
            return
        yield user_id
        for device in self._devices.get(user_id, ()):
            yield ANONYMOUS + device

    def _take(self, payload: bytes) -> None:
        self._remember(_unpacked(payload))

    def _remember(self, accepted: Iterable[Accepted]) -> None:
        limits = self._limits
        expires_at = self._clock() + limits.seconds
        for user, device, line in accepted:
            if user and device:
                self._link(device, user)
            if not line or not (user or device):
                continue
            kept = _Kept(user or ANONYMOUS + device, line, expires_at)
            own = self._by_user.get(kept.key)
            if own is None:
                own = self._by_user[kept.key] = []
            own.append(kept)
            self._kept.append(kept)
            self._bytes += kept.size
            if len(own) > limits.events_per_user:
                # Its place in the common queue is given up when its turn comes.
                self._release(own.pop(0))
        while self._bytes > limits.total_bytes and self._kept:
            self._forget_first()
        self._forget_old()

    def _forget_old(self) -> None:
        now = self._clock()
        while self._kept and self._kept[0].expires_at <= now:
            self._forget_first()

    def _forget_first(self) -> None:
        kept = self._kept.popleft()
        own = self._by_user.get(kept.key)
        # A user's events go in the same order as all.
        if own and own[0] is kept:
            del own[0]
            if not own:
                del self._by_user[kept.key]
        self._bytes -= kept.size

    def _release(self, kept: _Kept) -> None:
        """Let go of what an event said; it counts as an empty place until that is given up."""
        self._bytes -= kept.size - _OVERHEAD_BYTES
        kept.size = _OVERHEAD_BYTES
        kept.key, kept.line, kept.events = "", b"", ()

    def _link(self, device: str, user: str) -> None:
        """Note whose a device is: that of the first known user, as in the layers."""
        if len(device) + len(user) > _LONGEST_NAMES:
            return
        if device in self._owners:
            self._owners.move_to_end(device)
            return
        self._owners[device] = user
        devices = self._devices.setdefault(user, [])
        devices.append(device)
        if len(devices) > _MOST_DEVICES_OF_ONE:
            self._owners.pop(devices.pop(0), None)
        if len(self._owners) > self._limits.devices:
            oldest, owner = self._owners.popitem(last=False)
            of_owner = self._devices[owner]
            of_owner.remove(oldest)
            if not of_owner:
                del self._devices[owner]


def _packed(accepted: Iterable[Accepted]) -> Iterator[bytes]:
    """Yield events as messages to neighbours: a few at a time, as many as fit."""
    parts: list[bytes] = []
    size = 0
    for user, device, line in accepted:
        # JSON has neither of these bytes in it as they are.
        part = orjson.dumps((user, device)) + b"\t" + line
        if size + len(part) + 1 > _ROOM:
            yield _BETWEEN.join(parts)
            parts, size = [], 0
        if len(part) <= _ROOM:
            parts.append(part)
            size += len(part) + 1
    if parts:
        yield _BETWEEN.join(parts)


def _unpacked(payload: bytes) -> Iterator[Accepted]:
    for part in payload.split(_BETWEEN):
        names, _, line = part.partition(b"\t")
        user, device = orjson.loads(names)
        yield Accepted(user, device, line)
