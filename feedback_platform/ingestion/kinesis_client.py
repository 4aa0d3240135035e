"""Kinesis by boto3, as the consumer needs it: few calls, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from feedback_platform.errors import PermanentError, TransientError
from feedback_platform.ingestion.streams.partition import Message, short_digest
from feedback_platform.settings import checked_endpoint

# What one call returns at most; Kinesis itself stops at 10 MB.
RECORDS_PER_CALL: Final = 10_000

_THROTTLING: Final = {
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
_REFUSALS: Final = {
    "AccessDeniedException": "this user lacks the right to read the stream",
    "ExpiredTokenException": "the credentials have expired",
    "IncompleteSignature": "check the AWS credentials",
    "InvalidArgumentException": "check the stream's name and --from",
    "InvalidSignatureException": "check the AWS credentials",
    "KMSAccessDeniedException": "this user lacks the right to use the stream's key",
    "MissingAuthenticationTokenException": "check the AWS credentials",
    "ResourceNotFoundException": "create the stream, or check --stream and the region",
    "UnrecognizedClientException": "check the AWS credentials",
    "ValidationException": "check the stream's name",
}
_NO_CREDENTIALS: Final = (
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)


class KinesisUnavailableError(TransientError):
    """Kinesis does not do what was asked, for a reason that may pass."""


class KinesisThrottledError(TransientError):
    """Kinesis was asked too much of one shard; a moment later it answers again."""


class IteratorExpiredError(TransientError):
    """A place in a shard was kept too long; the same place can be asked for anew."""


class KinesisRefusedError(PermanentError):
    """Kinesis refuses what was asked, and will again."""


@dataclass(frozen=True)
class Shard:
    """A shard as Kinesis lists it.

    Attributes:
        shard_id: its name.
        parents: the shards that it continues; their messages come before its own.
        is_closed: whether it takes no more messages.
    """

    shard_id: str
    parents: tuple[str, ...]
    is_closed: bool


@dataclass(frozen=True)
class Records:
    """What one call read of a shard.

    Attributes:
        messages: in the order of their positions.
        iterator: from where to go on, or None at the end of a closed shard.
        behind: milliseconds by which the reader is behind the newest message.
    """

    messages: list[Message]
    iterator: str | None
    behind: int


class KinesisClient:
    """One stream.

    Args:
        stream: its name.
        client: boto3's; one by AWS's own variables when left out.
    """

    def __init__(self, stream: str, client: Any = None) -> None:
        self.stream = stream
        with self._translated():
            self._client = client or _client()

    def incarnation(self) -> str:
        """Return 8 hexadecimal digits; a stream that was deleted and made anew has others."""
        with self._translated():
            found = self._client.describe_stream_summary(StreamName=self.stream)
        summary = found["StreamDescriptionSummary"]
        created = summary["StreamCreationTimestamp"].timestamp()
        return short_digest(f"{summary['StreamARN']} {created:.3f}")

    def shards(self) -> list[Shard]:
        """Return all shards whose messages can still be read, closed ones included."""
        listed: list[dict[str, Any]] = []
        request = {"StreamName": self.stream}
        while True:
            with self._translated():
                page = self._client.list_shards(**request)
            listed += page["Shards"]
            if not page.get("NextToken"):
                return [_shard(found) for found in listed]
            request = {"NextToken": page["NextToken"]}

    def iterator(
        self, shard_id: str, *, at: int | None, after: int | None, since: datetime | None
    ) -> str:
        """Return the place in a shard at a position, after one, or of what came since an instant.

        With none of them it is the place of the oldest message.
        """
        place: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if at is not None:
            place = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": str(at)}
        elif after is not None:
            place = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": str(after),
            }
        elif since is not None:
            place = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": since}
        with self._translated():
            found = self._client.get_shard_iterator(
                StreamName=self.stream, ShardId=shard_id, **place
            )
        return str(found["ShardIterator"])

    def read(self, iterator: str) -> Records:
        """Return what comes next in a shard.

        Raises:
            IteratorExpiredError: the place was kept for more than five minutes.
            KinesisThrottledError: the shard was read too often.
        """
        with self._translated():
            found = self._client.get_records(ShardIterator=iterator, Limit=RECORDS_PER_CALL)
        messages = [
            Message(
                int(record["SequenceNumber"]),
                round(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
                bytes(record["Data"]),
            )
            for record in found["Records"]
        ]
        return Records(
            messages, found.get("NextShardIterator"), int(found.get("MillisBehindLatest") or 0)
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._answered(error) from error
        except _NO_CREDENTIALS as error:
            raise KinesisRefusedError(
                f"Kinesis cannot be asked without credentials and a region: {error}"
            ) from error
        except BotoCoreError as error:
            raise KinesisUnavailableError(f"Kinesis does not answer: {error}.") from error

    def _answered(self, error: ClientError) -> PermanentError | TransientError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        said = f"Kinesis answers {code} for stream {self.stream!r}"
        if code == "ExpiredIteratorException":
            return IteratorExpiredError(f"{said}.")
        if code in _THROTTLING:
            return KinesisThrottledError(f"{said}: it was read too often.")
        if code in _REFUSALS:
            return KinesisRefusedError(f"{said}; {_REFUSALS[code]}.")
        return KinesisUnavailableError(f"{said}.")


def _client() -> Any:
    session = boto3.Session()
    client = session.client(
        "kinesis",
        region_name=session.region_name or "us-east-1",
        config=Config(retries={"mode": "standard", "max_attempts": 3}, read_timeout=20),
    )
    checked_endpoint(client.meta.endpoint_url)
    return client


def _shard(found: dict[str, Any]) -> Shard:
    parents = (found.get("ParentShardId"), found.get("AdjacentParentShardId"))
    return Shard(
        shard_id=found["ShardId"],
        parents=tuple(parent for parent in parents if parent),
        is_closed="EndingSequenceNumber" in found["SequenceNumberRange"],
    )
