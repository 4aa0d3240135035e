"""A broker, a lake and consumers in memory, stepped one request at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import orjson

from feedback_platform.ingestion.streams.landing import StreamLanding
from feedback_platform.ingestion.streams.partition import Message, StreamPartition
from feedback_platform.ingestion.streams.pieces import Piece, json_piece
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake

NOW = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
PARTITION = StreamPartition(
    source="kafka-events-3", stream="events", number="3", incarnation="0a1b2c3d", digits=20
)


def milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def message(position: int, received_at: datetime = NOW, content: Any = None) -> Message:
    value = orjson.dumps({"n": position} if content is None else content)
    return Message(position, milliseconds(received_at), value)


def decode(value: bytes | None) -> list[Piece]:
    return [Piece(b"", "no value") if value is None else json_piece(value)]


def stored_positions(lake: Lake) -> list[int]:
    """The position of each stored line, by object and line."""
    return [
        int(orjson.loads(line)["fallback_id"].split("-")[2])
        for key in list_raw_objects(lake)
        for line in read_raw_object(lake, key).splitlines()
    ]


def stored_objects(lake: Lake) -> dict[str, bytes]:
    return {key: read_raw_object(lake, key) for key in list_raw_objects(lake)}


class Offsets:
    """Positions in memory."""

    def __init__(self) -> None:
        self.at: dict[StreamPartition, int] = {}
        self.rewound: list[tuple[StreamPartition, int]] = []

    def stored(self, partitions: list[StreamPartition]) -> Mapping[StreamPartition, int]:
        return {partition: self.at[partition] for partition in partitions if partition in self.at}

    def store(self, positions: Mapping[StreamPartition, int]) -> None:
        for partition, position in positions.items():
            self.at[partition] = max(position, self.at.get(partition, 0))

    def rewind(self, partition: StreamPartition, position: int) -> None:
        self.rewound.append((partition, position))


class KilledError(Exception):
    """The process ends here: what it had in memory is gone."""


class Turns:
    """Halts a consumer before each of its requests, until the test lets it make the request."""

    def __init__(self) -> None:
        self._go = threading.Semaphore(0)
        self._halted = threading.Semaphore(0)
        self._fate = "go"
        self.is_over = False

    def request(self, make: Callable[[], Any]) -> Any:
        self._halted.release()
        self._go.acquire()
        if self._fate == "killed before":
            raise KilledError
        made = make()
        if self._fate == "killed after":
            raise KilledError
        return made

    def await_halt(self) -> None:
        if not self._halted.acquire(timeout=30):
            raise AssertionError("a consumer neither makes a request nor ends")

    def step(self, fate: str) -> None:
        """Let the consumer make its request, or end before or after it."""
        self._fate = fate
        self._go.release()
        self.await_halt()

    def end(self) -> None:
        self.is_over = True
        self._halted.release()


class SteppedLake(Lake):
    def __init__(self, url: str, turns: Turns) -> None:
        super().__init__(url)
        self._turns = turns

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self._turns.request(lambda: Lake.put(self, key, data, mode=mode))

    def get(self, key: str) -> bytes:
        return bytes(self._turns.request(lambda: Lake.get(self, key)))

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        return list(self._turns.request(lambda: Lake.list_keys(self, prefix, after=after)))

    def delete(self, keys: list[str]) -> None:
        self._turns.request(lambda: Lake.delete(self, keys))


class SteppedOffsets(Offsets):
    """The broker's offsets as one consumer sees them."""

    def __init__(self, broker: Offsets, turns: Turns, is_owner: Callable[[], bool]) -> None:
        super().__init__()
        self._broker = broker
        self._turns = turns
        self._is_owner = is_owner

    def stored(self, partitions: list[StreamPartition]) -> Mapping[StreamPartition, int]:
        found: Mapping[StreamPartition, int] = self._turns.request(
            lambda: self._broker.stored(partitions)
        )
        return found

    def store(self, positions: Mapping[StreamPartition, int]) -> None:
        self._turns.request(lambda: self._commit(positions))

    def _commit(self, positions: Mapping[StreamPartition, int]) -> None:
        if not self._is_owner():
            raise KilledError
        self._broker.store(positions)


class Consumer:
    """Reads a partition in pieces of given sizes, and stores each piece, in a thread of its own."""

    def __init__(
        self,
        url: str,
        log: Sequence[Message],
        broker: Offsets,
        pieces: Sequence[int],
        *,
        now: datetime,
        is_owner: Callable[[Consumer], bool],
    ) -> None:
        self.turns = Turns()
        self._log = log
        self._pieces = pieces
        self._offsets = SteppedOffsets(broker, self.turns, lambda: is_owner(self))
        self._landing = StreamLanding(
            SteppedLake(url, self.turns), self._offsets, decode, linger=1.0, clock=lambda: now
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.turns.await_halt()

    def _run(self) -> None:
        try:
            self._consume()
        except KilledError:
            pass
        finally:
            self._landing.close()
            self.turns.end()

    def _consume(self) -> None:
        writer = self._landing.open(PARTITION)
        position = self._offsets.stored([PARTITION]).get(PARTITION, 0)
        number = 0
        while waiting := [message for message in self._log if message.position >= position]:
            piece = waiting[: self._pieces[number % len(self._pieces)]]
            number += 1
            for each in piece:
                writer.add(each)
            position = piece[-1].position + 1
            self._landing.land_all()
            while self._offsets.rewound:
                _, position = self._offsets.rewound.pop()


def run_to_end(consumer: Consumer) -> None:
    while not consumer.turns.is_over:
        consumer.turns.step("go")


def lake_at(path: Path) -> Lake:
    return Lake((path / "lake").as_uri())


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)
