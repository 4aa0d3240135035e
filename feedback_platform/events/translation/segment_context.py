"""What the context of a Segment message says of the device, the product and the visit."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from feedback_platform.events import columns as c

_TABLET: Final = re.compile(
    r"ipad|tablet|playbook|silk(?!.*mobile)|android(?!.*mobile)", re.IGNORECASE
)
_MOBILE: Final = re.compile(r"mobi|iphone|ipod|android|windows phone", re.IGNORECASE)
_DESKTOP: Final = re.compile(r"windows nt|macintosh|x11|cros", re.IGNORECASE)
_ROBOT: Final = re.compile(r"bot\b|crawler|spider|headless", re.IGNORECASE)
# Segment's mobile libraries give the system as the type of the device.
_MOBILE_SYSTEMS: Final = frozenset({"ios", "android"})
LONGEST_AGENT: Final = 1000
# Where a fact stands in the context; of two places for one fact the first counts.
_FACTS: Final = (
    ("os", "name", c.PLATFORM),
    ("library", "name", c.PLATFORM),
    ("location", "country", c.COUNTRY),
    ("app", "version", c.APP_VERSION),
    ("session", "id", c.SESSION_ID),
)
_SESSIONS: Final = ("sessionId", "session_id")


def merged_context(batch: Any, own: Any) -> dict[str, Any]:
    """Return the context of a message: what its batch says, and before that what it says itself.

    Objects in both are joined one level down.
    """
    if not isinstance(batch, dict) or not batch:
        return own if isinstance(own, dict) else {}
    if not isinstance(own, dict) or not own:
        return batch
    merged = {**batch, **own}
    for name, value in own.items():
        before = batch.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[name] = {**before, **value}
    return merged


def context_fields(context: dict[str, Any]) -> dict[str, Any]:
    """Return the canonical fields that a context fills."""
    fields: dict[str, Any] = {}
    for part, name, into in _FACTS:
        if part in context and into not in fields:
            value = _text(context, part, name)
            if value is not None:
                fields[into] = value
    device = _device_type(context)
    if device is not None:
        fields[c.DEVICE_TYPE] = device
    for name in _SESSIONS:
        if name in context and _scalar(context[name]) is not None:
            fields.setdefault(c.SESSION_ID, context[name])
    return fields


def _text(context: dict[str, Any], part: str, name: str) -> Any:
    """Return a name in a part of the context, or None where there is none."""
    within = context.get(part)
    return _scalar(within.get(name)) if type(within) is dict else None


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return value if value and "\0" not in value else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _device_type(context: dict[str, Any]) -> str | None:
    named = _text(context, "device", "type") if "device" in context else None
    if isinstance(named, str):
        kind = named.lower()
        if kind not in _MOBILE_SYSTEMS:
            return kind
        model = _text(context, "device", "model")
        is_tablet = isinstance(model, str) and _TABLET.search(model) is not None
        return "tablet" if is_tablet else "mobile"
    agent = context.get("userAgent")
    return device_of(agent) if isinstance(agent, str) and len(agent) <= LONGEST_AGENT else None


@lru_cache(maxsize=4096)
def device_of(user_agent: str) -> str | None:
    """Return the kind of device that a browser names, or None where that cannot be told."""
    if _ROBOT.search(user_agent):
        return None
    for kind, pattern in (("tablet", _TABLET), ("mobile", _MOBILE), ("desktop", _DESKTOP)):
        if pattern.search(user_agent):
            return kind
    return None
