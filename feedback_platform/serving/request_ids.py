"""What tells one request from all others: in its answer, and in what is logged meanwhile."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

HEADER: Final = b"x-request-id"
# Of the request that is being answered; empty beside all requests.
REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")

_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RequestIds:
    """Takes the id that a client brings, if it is one; else makes one."""

    def __init__(self) -> None:
        # No other process draws it; what follows is cheap and never the same.
        self._prefix = b"%s-" % secrets.token_hex(6).encode()
        self._numbers = itertools.count(1)

    def of(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return the id of a request with these headers."""
        for name, value in headers:
            if name == HEADER:
                if _WELL_FORMED.fullmatch(value):
                    return value
                break
        return self.made()

    def made(self) -> bytes:
        """Return a new id."""
        return b"%s%x" % (self._prefix, next(self._numbers))


# The ids of this process. It is started anew, not forked, so no two share the prefix.
IDS: Final = RequestIds()
