"""moto's Kinesis server, resharding as AWS does.

moto gives new records to shards that were closed, and moves those of a shard that is split or
merged to its children. At AWS a closed shard keeps its records and takes no more.

python kinesis_server.py -H HOST -p PORT
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from moto.kinesis.models import Stream
from moto.server import main


def _open_shard(stream: Stream, partition_key: str, explicit_hash_key: str) -> Any:
    digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).hexdigest()
    place = int(explicit_hash_key) if explicit_hash_key else int(digest, 16)
    return next(
        shard
        for shard in stream.shards.values()
        if shard.is_open and shard.starting_hash <= place <= shard.ending_hash
    )


def _in_place(change: Callable[..., None]) -> Callable[..., None]:
    """Return a change of a stream's shards that leaves their records where they are."""

    def changed(stream: Stream, *shards: str) -> None:
        kept = {name: shard.records.copy() for name, shard in stream.shards.items()}
        change(stream, *shards)
        for name, shard in stream.shards.items():
            shard.records = kept.get(name, {})

    return changed


if __name__ == "__main__":
    for name, replacement in {
        "get_shard_for_key": _open_shard,
        "split_shard": _in_place(Stream.split_shard),
        "merge_shards": _in_place(Stream.merge_shards),
    }.items():
        setattr(Stream, name, replacement)
    main()
