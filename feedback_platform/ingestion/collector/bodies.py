"""Reading a request's body: within its limits, while there is room, decompressed as it comes."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import Receive

from feedback_platform.ingestion.collector.group_commit import GroupCommit
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.refusals import (
    Reason,
    RequestRefusedError,
    SenderGoneError,
)

# zlib's way to say: a gzip header, and the largest window.
_GZIP_WINDOW: Final = 31
# What follows a member of gzip is copied for each of them: never the whole body.
_PIECE_BYTES: Final = 16 * 1024


class Bodies:
    """Reads bodies as long as what is being read and what is not durable yet fit into memory."""

    def __init__(self, commit: GroupCommit, limits: Limits) -> None:
        self._commit = commit
        self._limits = limits
        self._reading = 0

    @asynccontextmanager
    async def reading(
        self, headers: Mapping[bytes, bytes], receive: Receive, *, most: int, too_large: int = 400
    ) -> AsyncIterator[bytes]:
        """Give a request's body, decompressed; its room is taken until the context ends.

        Until then its lines must have been handed to the writer, which counts them from there on.

        Args:
            headers: of the request, by lower-case name.
            receive: of the request.
            most: bytes, before and after decompression.
            too_large: the status that says that it is larger.

        Raises:
            RequestRefusedError: the body is too large or not gzip, or there is no room for it now.
            SenderGoneError: the sender closed the connection.
        """
        declared = _declared_length(headers)
        if declared is not None and declared > most:
            raise _too_large(most, too_large)
        reserved = most if declared is None else declared
        self._check_room(reserved)
        self._reading += reserved
        try:
            body = await _received(receive, most, too_large)
            if _is_gzip(headers.get(b"content-encoding")):
                body = _gunzipped(body, most, too_large)
            more = len(body) - reserved
            if more > 0:
                self._check_room(more)
            self._reading += more
            reserved += more
            yield body
        finally:
            self._reading -= reserved

    def _check_room(self, size: int) -> None:
        if self._commit.is_failing:
            text = "The store cannot take events at present; send them again."
        elif self._commit.held_bytes + self._reading + size > self._limits.held_bytes:
            text = "Events come faster than the store takes them; send them again."
        else:
            return
        raise RequestRefusedError.for_now(text, self._limits.retry_after_seconds)


def _declared_length(headers: Mapping[bytes, bytes]) -> int | None:
    length = headers.get(b"content-length")
    if length is None:
        # Without either there is no body at all.
        return None if b"transfer-encoding" in headers else 0
    return int(length) if length.isdigit() else None


async def _received(receive: Receive, most: int, too_large: int) -> bytes:
    message = await receive()
    first: bytes = message.get("body", b"")
    if not message.get("more_body") and message["type"] == "http.request":
        if len(first) > most:
            raise _too_large(most, too_large)
        return first
    body = bytearray(first)
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most, too_large)
    if message["type"] != "http.request":
        raise SenderGoneError("The sender closed the connection before the request was complete.")
    return bytes(body)


def _is_gzip(encoding: bytes | None) -> bool:
    if encoding is None:
        return False
    codings = [coding.strip().lower() for coding in encoding.split(b",")]
    codings = [coding for coding in codings if coding not in {b"", b"identity"}]
    if codings in ([b"gzip"], [b"x-gzip"]):
        return True
    if codings:
        text = "Content-Encoding may be gzip or left out."
        raise RequestRefusedError(415, "unsupported_encoding", text)
    return False


def _gunzipped(body: bytes, most: int, too_large: int) -> bytes:
    """Decompress every member: a gzip file may be several, one behind the other."""
    content = bytearray()
    decompressor = zlib.decompressobj(wbits=_GZIP_WINDOW)
    at = 0
    try:
        while at < len(body):
            if decompressor.eof:
                decompressor = zlib.decompressobj(wbits=_GZIP_WINDOW)
            piece = body[at : at + _PIECE_BYTES]
            # One byte more than is allowed tells that there is more; a bomb is never unpacked.
            content += decompressor.decompress(piece, most + 1 - len(content))
            if len(content) > most:
                raise _too_large(most, too_large)
            at += len(piece) - len(decompressor.unused_data)
    except zlib.error as error:
        text = "The body, or what follows its gzip, is not gzip, which Content-Encoding promises."
        raise RequestRefusedError(400, "malformed_gzip", text) from error
    if not decompressor.eof:
        raise RequestRefusedError(400, "malformed_gzip", "The gzip body was cut short.")
    return bytes(content)


def _too_large(most: int, status: int) -> RequestRefusedError:
    text = f"The body is larger than {most:,} bytes, compressed or not."
    return RequestRefusedError(status, Reason.TOO_LARGE, text)
