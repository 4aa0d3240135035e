"""One shard that is read: where in it, when again, and whether its end was reached."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

from feedback_platform.ingestion.kinesis_client import (
    IteratorExpiredError,
    KinesisClient,
    KinesisThrottledError,
    Shard,
)
from feedback_platform.ingestion.streams.partition_writer import PartitionWriter

# Kinesis answers five calls a second for each shard, to all its readers together.
BEHIND_SECONDS: Final = 0.25
CAUGHT_UP_SECONDS: Final = 1.0
_LONGEST_THROTTLE: Final = 10.0


class ShardReader:
    """Reads one shard into its writer.

    Args:
        client: of the stream.
        shard: what to read.
        writer: takes the messages.
        at: the first position to read, or None.
        after: the last position not to read, or None.
        since: the first instant to read, or None; without any of them all is read.
    """

    def __init__(
        self,
        client: KinesisClient,
        shard: Shard,
        writer: PartitionWriter,
        *,
        at: int | None,
        after: int | None,
        since: datetime | None,
    ) -> None:
        self.shard = shard
        self.writer = writer
        self.behind = 0
        self.has_caught_up = False
        self.is_at_end = False
        self._client = client
        self._at = at
        self._after = after
        self._since = since
        self._iterator: str | None = None
        self._next_at = 0.0
        self._throttle = BEHIND_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether to read now."""
        return not self.is_at_end and not self.writer.is_full and time.monotonic() >= self._next_at

    @property
    def is_done(self) -> bool:
        """Whether the shard is closed and all of it was stored."""
        return self.is_at_end and not self.writer.buffered

    def rewind(self, position: int) -> None:
        """Read from a position on."""
        self._at, self._after, self._since = None, position - 1, None
        self._iterator = None
        self.is_at_end = False

    def read(self) -> int:
        """Read what comes next, if Kinesis lets us; return how many messages came.

        Raises:
            KinesisUnavailableError: Kinesis does not answer; the next call carries on.
            KinesisRefusedError: it will not.
        """
        try:
            if self._iterator is None:
                self._iterator = self._client.iterator(
                    self.shard.shard_id, at=self._at, after=self._after, since=self._since
                )
            records = self._client.read(self._iterator)
        except IteratorExpiredError:
            self._iterator = None
            return 0
        except KinesisThrottledError:
            self._throttle = min(_LONGEST_THROTTLE, 2 * self._throttle)
            self._next_at = time.monotonic() + self._throttle
            return 0
        for message in records.messages:
            self.writer.add(message)
            self._at, self._after, self._since = None, message.position, None
        self._iterator = records.iterator
        self.behind = records.behind
        is_empty = not records.messages and records.behind == 0
        self.has_caught_up = self.has_caught_up or records.behind == 0
        # The end of a closed shard is told by a missing iterator; some servers never tell it.
        self.is_at_end = records.iterator is None or (self.shard.is_closed and is_empty)
        self._throttle = BEHIND_SECONDS
        self._next_at = time.monotonic() + (BEHIND_SECONDS if records.behind else CAUGHT_UP_SECONDS)
        return len(records.messages)
