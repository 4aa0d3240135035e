"""What a request for recommendations asks for, read strictly: refusals name what is strange."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from feedback_platform.lake.tombstones import ANONYMOUS

PREFIX: Final = "/v1/recommendations/"
EXPLANATIONS: Final = "explanations"
MOST_ITEMS: Final = 100
# As many as are published.
DEFAULT_ITEMS: Final = 20
DEFAULT_PLACEMENT: Final = "home"
PLACEMENT: Final = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}"
LONGEST_ID: Final = 1000
_PLACEMENT: Final = re.compile(PLACEMENT)
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_PARAMETERS: Final = ("limit", "placement", "log")
_SWITCH: Final = {"true": True, "false": False}


class RecommendationRefusal(Exception):  # noqa: N818 - an answer, not a mistake of the program
    """A request that is answered with an error.

    Attributes:
        status: of HTTP.
        code: the kind of error, for programs.
        headers: further ones.
    """

    def __init__(
        self, status: int, code: str, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(text)
        self.status = status
        self.content: Mapping[str, str] = {"code": code, "message": text}
        self.headers = headers


class Target(NamedTuple):
    """Whom a path is about.

    Attributes:
        user_id: decoded.
        item_id: the item to be explained; None where a list is asked for.
    """

    user_id: str
    item_id: str | None


class Wanted(NamedTuple):
    """What a query asks for.

    Attributes:
        limit: how many items.
        placement: the part of the product that shows them.
        is_logged: whether the platform notes that they were shown.
    """

    limit: int
    placement: str
    is_logged: bool


def target_of(raw_path: bytes) -> Target:
    """Read a path below `PREFIX`, as it was sent.

    Raises:
        RecommendationRefusal: there is nothing at it (404), or an id is none (400).
    """
    parts = raw_path[len(PREFIX) :].split(b"/")
    if len(parts) == 1:
        return Target(_decoded(parts[0], "user"), None)
    if len(parts) == 3 and parts[1] == EXPLANATIONS.encode():  # noqa: PLR2004 - user/word/item
        return Target(_decoded(parts[0], "user"), _decoded(parts[2], "item"))
    text = f"There is nothing at this path; an id is percent-encoded, {PREFIX}{{user_id}}."
    raise RecommendationRefusal(404, "not_found", text)


@lru_cache(maxsize=1024)
def wanted_of(query: bytes) -> Wanted:
    """Read a query.

    Raises:
        RecommendationRefusal: a parameter is unknown, repeated, or has a value of another kind.
    """
    given = _parameters(query, _PARAMETERS)
    limit = given.get("limit", str(DEFAULT_ITEMS))
    if _LIMIT.fullmatch(limit) is None or int(limit) > MOST_ITEMS:
        raise _invalid(f"limit is {limit[:40]!r}; it may be 1 to {MOST_ITEMS}.")
    placement = _placement(given)
    log = given.get("log", "true")
    if log not in _SWITCH:
        raise _invalid(f"log is {log[:40]!r}; it may be true or false.")
    return Wanted(int(limit), placement, _SWITCH[log])


def placement_of(query: bytes) -> str:
    """Read the query of an explanation: which placement's list it speaks of.

    Raises:
        RecommendationRefusal: a parameter is unknown, repeated, or has a value of another kind.
    """
    return _placement(_parameters(query, ("placement",)) if query else {})


def _placement(given: Mapping[str, str]) -> str:
    placement = given.get("placement", DEFAULT_PLACEMENT)
    if _PLACEMENT.fullmatch(placement) is None:
        raise _invalid(
            f"placement is {placement[:80]!r}; it may be 1 to 64 letters, digits and _ . : -, "
            "the first a letter or a digit."
        )
    return placement


def _parameters(query: bytes, known: tuple[str, ...]) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=10,
            errors="strict",
        )
    except ValueError as error:
        raise _invalid("The query cannot be read.") from error
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            takes = ", ".join(known)
            raise _invalid(f"There is no parameter {name[:40]!r}; it takes {takes}.")
        if name in given:
            raise _invalid(f"{name} is given twice.")
        given[name] = value
    return given


def _decoded(part: bytes, of_what: str) -> str:
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeDecodeError as error:
        raise _invalid(f"The {of_what}'s id is not percent-encoded UTF-8.") from error
    if text in {"", ANONYMOUS} or len(text) > LONGEST_ID or "\0" in text:
        raise _invalid(f"The {of_what}'s id must have 1 to {LONGEST_ID} characters, NUL none.")
    return text


def _invalid(text: str) -> RecommendationRefusal:
    return RecommendationRefusal(400, "invalid_request", text)
