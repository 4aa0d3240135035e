"""Where the objects of a damaged file end, by their braces."""

from __future__ import annotations

import re
from typing import Final

# Nothing is ever given back by these, and a string does not reach over a line break.
_STRING: Final = rb'"(?:[^"\\\n]++|\\.)*+"'
# What stands between two braces of JSON. Behind a string comes one of four signs: read from within
# a string, where inside and outside are swapped, most texts stop to look like JSON at once. And no
# backslash stands outside of a string: so there are only these two ways to read a text, and each
# brace is looked at twice at most.
_OF_JSON: Final = (
    rb"(?:[ \t\r\n,:\[\]]++|" + _STRING + rb"(?=[ \t\r\n]*+[,:\]}])|[-+.0-9Eaeflnrstu]++)*+"
)
# Here a backslash may be the end of one reading and the beginning of another: who asks for objects
# of anything from many places may have all the rest read each time, and has to stop some day.
_OF_ANYTHING: Final = rb'(?:[^"{}]++|' + _STRING + rb")*+"
# What is looked at where neither goes on.
_STUMBLED: Final = re.compile(rb'(?:"(?:[^"\\\n]++|\\.)*+"?[ \t\r\n]*+)?')


class Objects:
    """The objects of a file: each reaches from its brace to the one that closes it.

    Attributes:
        read_in_vain: how many bytes were looked at for objects that have no end.
    """

    def __init__(self, content: bytes, *, is_strict: bool) -> None:
        """Look for objects that may be JSON (strict), or whatever stands in their braces."""
        self.read_in_vain = 0
        self._content = content
        between = _OF_JSON if is_strict else _OF_ANYTHING
        self._to_brace = re.compile(rb"(" + between + rb")([{}]?)")
        # Of objects that were looked at in vain with what is around them: where they end, if so.
        self._ends: dict[int, int | None] = {}

    def end(self, start: int) -> int | None:
        """Return where the object that begins here is closed, or None where there is none."""
        if not self._content.startswith(b"{", start):
            return None
        if start in self._ends:
            return self._ends[start]
        opened: list[int] = []
        closed: dict[int, int] = {}
        at = start
        # It always matches: where there is no brace, it ends where nothing goes on.
        while found := self._to_brace.match(self._content, at):
            between, brace = found.groups()
            at = found.end()
            if not brace or (brace == b"{" and opened and not between.strip()):
                break
            if brace == b"{":
                opened.append(at - 1)
                continue
            closed[opened.pop()] = at
            if not opened:
                return at
        self._ends |= closed
        self._ends |= dict.fromkeys(opened)
        stumbled = _STUMBLED.match(self._content, at)
        self.read_in_vain += (stumbled.end() if stumbled else at) - start
        return None
