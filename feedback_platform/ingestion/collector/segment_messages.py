"""What a message of Segment's tracking API must have, as far as a sender can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from feedback_platform.ingestion.collector.limits import MAX_MESSAGE_ID
from feedback_platform.ingestion.collector.refusals import Fault, Reason

TRACK: Final = "track"
ALIAS: Final = "alias"
# What a type needs beside a user.
NEEDED: Final[Mapping[str, str | None]] = {
    "identify": None,
    TRACK: "event",
    "page": None,
    "screen": None,
    "group": "groupId",
    ALIAS: "previousId",
}
_NEED_NO_MORE: Final = ("identify", "page", "screen")


def is_sound(message: dict[str, Any], kind: Any) -> bool:
    """Return whether nothing is wrong with a message, as far as a glance tells.

    Args:
        message: as it was sent.
        kind: its type.
    """
    get = message.get
    user, anonymous, message_id = get("userId"), get("anonymousId"), get("messageId")
    if kind == TRACK:
        name = get("event")
        if type(name) is not str or not name:
            return False
    elif kind not in _NEED_NO_MORE:
        return False
    return (
        (type(user) is str or user is None)
        and (type(anonymous) is str or anonymous is None)
        and bool(user or anonymous)
        and type(message_id) is str
        and 0 < len(message_id) <= MAX_MESSAGE_ID
    )


def fault_of(message: dict[str, Any], kind: str | None) -> Fault | None:
    """Return what is wrong with a message, or None.

    Args:
        message: as it was sent.
        kind: the type that the path named, or None where the message has to name it.
    """
    named = message.get("type", kind)
    if not isinstance(named, str):
        return _missing_or_mistyped("type", named)
    if named not in NEEDED:
        text = f"type is {_short(named)}; it may be {', '.join(NEEDED)}."
        return Fault(Reason.UNKNOWN_EVENT_TYPE, "type", text)
    if kind is not None and named != kind:
        text = f"type is {_short(named)}, but this path takes {kind}."
        return Fault(Reason.UNKNOWN_EVENT_TYPE, "type", text)
    return _fault_of_user(message, named) or _fault_of_names(message, named)


def _fault_of_user(message: dict[str, Any], kind: str) -> Fault | None:
    for name in ("userId", "anonymousId"):
        # Older libraries send the number that their database knows.
        if not isinstance(message.get(name), str | int | float | None) or isinstance(
            message.get(name), bool
        ):
            return _mistyped(name)
    if kind == ALIAS:
        if message.get("userId") in {None, ""}:
            return Fault(Reason.MISSING_USER, "userId", "userId is missing; alias needs it.")
    elif message.get("userId") in {None, ""} and message.get("anonymousId") in {None, ""}:
        text = "userId and anonymousId are missing; one of them is needed."
        return Fault(Reason.MISSING_USER, "userId", text)
    return None


def _fault_of_names(message: dict[str, Any], kind: str) -> Fault | None:
    needed = NEEDED[kind]
    if needed is not None:
        given = message.get(needed)
        # An id may be a number, the name of an event may not.
        taken = str if kind == TRACK else str | int | float
        if not given or not isinstance(given, taken) or isinstance(given, bool):
            return _missing_or_mistyped(needed, given)
    message_id = message.get("messageId")
    if message_id is not None and not isinstance(message_id, str):
        return _mistyped("messageId")
    if message_id is not None and len(message_id) > MAX_MESSAGE_ID:
        text = f"messageId is longer than {MAX_MESSAGE_ID} characters."
        return Fault(Reason.TOO_LARGE, "messageId", text)
    return None


def _missing_or_mistyped(name: str, value: Any) -> Fault:
    if value in (None, ""):
        return Fault(Reason.MISSING_FIELD, name, f"{name} is missing.")
    return _mistyped(name)


def _mistyped(name: str) -> Fault:
    return Fault(Reason.INVALID_TYPE, name, f"{name} is not a string.")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")  # noqa: PLR2004 - fits on a line
