"""Raw events: one zstd-compressed NDJSON object per write, immutable, by the hour received."""

from __future__ import annotations

import gzip
import re
import zlib
from bisect import bisect_right
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import zstandard

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys
from feedback_platform.lake.seen import SeenObjects
from feedback_platform.lake.store import Lake

# An object whose content would be larger than this is split by its writer, not by its reader.
MAX_OBJECT_BYTES = 1 << 30
# On events it packs as tightly as the default level, and takes less than half of the time.
_COMPRESSION_LEVEL = 1
_PIECE_BYTES = 1 << 16
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
# Of what is damaged all that stands before the damage is wanted.
_SALVAGED_BYTES = 1 << 10
# zlib's way to say: a gzip header, and the largest window.
_GZIP_WINDOW = 31


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
        InvalidInputError: the source or id would not make a key, or the content is larger than
            anybody would read.
        LakeObjectExistsError: the key holds something else.
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
    if len(ndjson) > MAX_OBJECT_BYTES:
        raise InvalidInputError(
            f"The raw object {key} would hold {len(ndjson):,} bytes, but no more than "
            f"{MAX_OBJECT_BYTES:,} can be read again; write several smaller ones."
        )
    lake.put(key, zstandard.compress(ndjson, _COMPRESSION_LEVEL), mode="create")
    return key


def rewrite_raw_object(lake: Lake, key: str, content: bytes) -> None:
    """Put another content in the place of a raw object's, in the form that its writer gave it.

    Raw is immutable but for one thing: what erased users left in it is taken out.
    """
    if not keys.is_firehose(key):
        data = zstandard.compress(content, _COMPRESSION_LEVEL)
    elif lake.get(key).startswith(_GZIP):
        data = gzip.compress(content, mtime=0)
    else:
        data = content
    lake.put(key, data, mode="overwrite")


def read_raw_object(lake: Lake, key: str) -> bytes:
    """Return the decompressed content of a raw object.

    It is NDJSON where this platform wrote it. Firehose's records may follow one another without
    a newline; its files are gzip or plain.

    Raises:
        InvalidInputError: the object is not what its writer writes, or too large.
    """
    data = lake.get(key)
    if not keys.is_firehose(key):
        return _unpacked(key, data)
    if data.startswith(_GZIP):
        return _gunzipped(key, data)
    _check_size(key, len(data))
    return data


def _unpacked(key: str, data: bytes) -> bytes:
    """Decompress zstd: at once where the object says how large it is, else piece by piece."""
    decompressor = zstandard.ZstdDecompressor()
    with suppress(zstandard.ZstdError):
        if 0 < zstandard.get_frame_parameters(data).content_size <= MAX_OBJECT_BYTES:
            return decompressor.decompress(data)
    # What is wrong with it, if anything is, shows on the way.
    content, _ = _decompressed(key, data, decompressor.decompressobj(), 0)
    return content


def _gunzipped(key: str, data: bytes) -> bytes:
    """Decompress every member: files of gzip may be joined, and padded with zeros."""
    rest = memoryview(data)
    members: list[bytes] = []
    size = 0
    while rest and any(rest[:_PIECE_BYTES]):
        member, read = _decompressed(key, rest, zlib.decompressobj(wbits=_GZIP_WINDOW), size)
        members.append(member)
        size += len(member)
        rest = rest[read:]
    return b"".join(members)


def _decompressed(
    key: str, data: bytes | memoryview, decompressor: Any, before: int
) -> tuple[bytes, int]:
    """Return the content of one compressed stream, and how many bytes it took."""
    parts: list[bytes] = []
    size = before
    read = 0
    try:
        while read < len(data) and not decompressor.eof:
            piece = data[read : read + _PIECE_BYTES]
            parts.append(decompressor.decompress(piece))
            read += len(piece)
            size += len(parts[-1])
            _check_size(key, size)
    except (zstandard.ZstdError, zlib.error) as error:
        raise InvalidInputError(f"The raw object {key} cannot be decompressed: {error}") from error
    if not decompressor.eof:
        # Believed as it is, it would lose the events behind the cut without a word.
        raise InvalidInputError(f"The raw object {key} was cut short.")
    return b"".join(parts), read - len(decompressor.unused_data)


def _check_size(key: str, size: int) -> None:
    if size > MAX_OBJECT_BYTES:
        raise InvalidInputError(f"The raw object {key} holds more than {MAX_OBJECT_BYTES:,} bytes.")


def salvaged(data: bytes) -> tuple[bytes, bool]:
    """Return what can be read of data, and whether it was read to its end.

    What is compressed shows by its first bytes: zstd or gzip, one after another. Other bytes are
    returned as they are. Behind a damage, a cut or `MAX_OBJECT_BYTES` nothing is read.
    """
    parts: list[bytes] = []
    size = 0
    rest = memoryview(data)
    while decompressor := _decompressor_of(rest):
        read = 0
        try:
            while read < len(rest) and not decompressor.eof:
                piece = rest[read : read + _SALVAGED_BYTES]
                parts.append(decompressor.decompress(piece))
                read += len(piece)
                size += len(parts[-1])
                if size > MAX_OBJECT_BYTES:
                    return b"".join(parts), False
        except (zstandard.ZstdError, zlib.error):
            return b"".join(parts), False
        if not decompressor.eof:
            return b"".join(parts), False
        rest = rest[read - len(decompressor.unused_data) :]
    return b"".join([*parts, rest]), True


def _decompressor_of(data: memoryview) -> Any:
    """Return what decompresses data that begin like this; None where they are not compressed."""
    if data[: len(_ZSTD)] == _ZSTD:
        return zstandard.ZstdDecompressor().decompressobj()
    if data[: len(_GZIP)] == _GZIP:
        return zlib.decompressobj(wbits=_GZIP_WINDOW)
    return None


def list_raw_objects(
    lake: Lake,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    seen: SeenObjects | None = None,
) -> list[str]:
    """Return the keys of raw objects, sorted, from an hour on, those seen before left out.

    The cost follows what is new: a run of seen objects is passed over, not listed.

    Args:
        lake: the object store.
        since: the first hour to list (UTC); everything when left out.
        until: the first hour not to list any more.
        seen: the keys to leave out.
    """
    seen = seen or SeenObjects()
    found: list[str] = []
    for root, start in _roots(lake, since):
        found += _unseen(lake, root, start, seen, until)
    if since is not None:
        # Behind the start of a month of Firehose may lie what is of no day in it.
        first = since.replace(minute=0, second=0, microsecond=0)
        found = [key for key in found if keys.hour_of(key) >= first]
    return sorted(found)


def list_raw_days(lake: Lake, *, first: date, last: date) -> list[str]:
    """Return the keys of raw objects received on any day from first to last, both included."""
    midnight = datetime.min.time()
    return list_raw_objects(
        lake,
        since=datetime.combine(first, midnight, tzinfo=UTC),
        until=datetime.combine(last + timedelta(days=1), midnight, tzinfo=UTC),
    )


def _roots(lake: Lake, since: datetime | None) -> list[tuple[str, str]]:
    """Return prefixes under which keys sort by time, each with the key behind which to begin."""
    if since is None:
        return [(keys.RAW, keys.RAW), (keys.FIREHOSE, keys.FIREHOSE)]
    roots = [(keys.RAW, keys.raw_hour(since))]
    for month, began in _firehose_months(lake):
        if began == (since.year, since.month):
            roots.append((month, keys.firehose_hour(month, since)))
        elif began > (since.year, since.month):
            roots.append((month, month))
    return roots


def _firehose_months(lake: Lake) -> list[tuple[str, tuple[int, int]]]:
    """Return the months in which Firehose wrote, below whatever prefixes it was given.

    A folder is known for a year by the months in it: a prefix may be a number of four digits, too.
    """
    months: list[tuple[str, tuple[int, int]]] = []
    unknown = [keys.FIREHOSE]
    while unknown:
        for below in lake.subdirectories(unknown.pop()):
            month = keys.firehose_month(below)
            if month is None:
                unknown.append(below)
            else:
                months.append((below, month))
    return months


def _unseen(
    lake: Lake, root: str, start: str, seen: SeenObjects, until: datetime | None
) -> list[str]:
    found: list[str] = []
    after, is_last = start, False
    while not is_last:
        page, is_last = lake.list_page(root, after=after)
        at = 0
        while at < len(page):
            end = seen.run_end(page[at])
            if end is None:
                if keys.is_raw_object(page[at]):
                    if until is None or keys.hour_of(page[at]) < until:
                        found.append(page[at])
                    elif root == keys.RAW:
                        # Of Firehose's folders nobody knows that they sort by time alone.
                        return found
                at += 1
            else:
                at = bisect_right(page, end, lo=at + 1)
        if page:
            after = max(page[-1], seen.run_end(page[-1]) or "")
    return found


def announce_backfill(lake: Lake, name: str) -> str:
    """Tell that raw objects were written behind the newest hours; return the key that says so.

    The listing of new hours would not meet them; the next one lists everything. Each announcement
    has a key of its own: whoever has listed everything deletes those that came before, and not
    one that was made since.

    Args:
        lake: where they were written, all of them already.
        name: of whoever wrote them, for people who look.
    """
    key = keys.backfill(f"{name}-{uuid4().hex}")
    lake.put(key, b"{}", mode="create")
    return key
