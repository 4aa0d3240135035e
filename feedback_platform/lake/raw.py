"""Raw events: one zstd-compressed NDJSON object per write, immutable, by the hour received."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

import zstandard

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

# An object whose content would be larger than this is split by its writer, not by its reader.
MAX_OBJECT_BYTES = 1 << 30
_PIECE_BYTES = 1 << 16


def write_raw_object(
    lake: Lake, *, received_at: datetime, source: str, sortable_id: str, ndjson: bytes
) -> str:
    """Store one object of raw events, as received; return its key.

    Args:
        received_at: UTC; decides the partition.
        source: who wrote it; lower-case letters, digits and dashes.
        sortable_id: orders the objects of one writer, lower-case letters and digits; the same
            content must get the same id.
        ndjson: one event a line.

    Raises:
        InvalidInputError: the source or id would not make a key.
        LakeObjectExistsError: the object is stored already.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", source):
        raise InvalidInputError(
            f"A source is called {source!r}; use lower-case letters, digits and single dashes."
        )
    if not re.fullmatch(r"[a-z0-9]+", sortable_id):
        raise InvalidInputError(
            f"A raw object's id is {sortable_id!r}; use lower-case letters and digits."
        )
    key = keys.raw_object(received_at, source, sortable_id)
    lake.put(key, zstandard.compress(ndjson), mode="create")
    return key


def read_raw_object(lake: Lake, key: str) -> bytes:
    """Return the NDJSON of a raw object.

    Raises:
        InvalidInputError: the object is not what a writer of this platform writes.
    """
    data = lake.get(key)
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    parts: list[bytes] = []
    size = 0
    try:
        for start in range(0, len(data), _PIECE_BYTES):
            parts.append(decompressor.decompress(data[start : start + _PIECE_BYTES]))
            size += len(parts[-1])
            if size > MAX_OBJECT_BYTES:
                raise InvalidInputError(
                    f"The raw object {key} holds more than {MAX_OBJECT_BYTES:,} bytes."
                )
            if decompressor.eof:
                break
    except zstandard.ZstdError as error:
        raise InvalidInputError(f"The raw object {key} is not readable zstd: {error}") from error
    if not decompressor.eof:
        # Believed as it is, it would lose the events behind the cut without a word.
        raise InvalidInputError(f"The raw object {key} was cut short.")
    return b"".join(parts)


def list_raw_objects(lake: Lake, *, since: datetime | None = None) -> list[str]:
    """Return the keys of raw objects, sorted, from an hour on.

    The cost follows what is listed.

    Args:
        since: the first hour to list (UTC); everything when left out.
    """
    if since is None:
        return [key for key in lake.list_keys(keys.RAW) if keys.is_raw_object(key)]
    days = [d for d in lake.subdirectories(keys.RAW) if keys.day_of(d) >= since.date()]
    hour = since.replace(minute=0, second=0, microsecond=0)
    return _under(lake, days, from_key=keys.raw_hour(hour))


def list_raw_days(lake: Lake, *, first: date, last: date) -> list[str]:
    """Return the keys of raw objects received on any day from first to last, both included."""
    span = (last - first).days + 1
    wanted = {keys.raw_day(first + timedelta(days=offset)) for offset in range(span)}
    days = [d for d in lake.subdirectories(keys.RAW) if d in wanted]
    return _under(lake, days, from_key="")


def _under(lake: Lake, days: Iterable[str], *, from_key: str) -> list[str]:
    listed = [key for day in days for key in lake.list_keys(day)]
    return [key for key in listed if key >= from_key and keys.is_raw_object(key)]


def announce_backfill(lake: Lake, name: str) -> None:
    """Tell that raw objects were written behind the newest hours.

    The listing of new hours would not meet them; the next one lists everything.

    Args:
        lake: where they were written, all of them already.
        name: of whoever wrote them; a later announcement under it replaces this one.
    """
    lake.put(keys.backfill(name), b"{}", mode="overwrite")
