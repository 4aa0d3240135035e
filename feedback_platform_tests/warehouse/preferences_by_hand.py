"""What users allow, worked out one event at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

SIGNALS = {"rating", "like", "dismissal", "conversion", "use", "click", "view"}
SWITCHES = {"true": True, "false": False}

Preferences = dict[str, tuple[bool, bool, list[str], datetime]]


def preferences_by_hand(
    consents: Iterable[tuple[str, str | None, datetime, str, str]],
) -> Preferences:
    """Read events in the order in which they happened.

    Args:
        consents: of each the user, the device's name if nobody was named, time, id, and properties
            as text.

    Returns:
        By user: personalisation, research, signals that are off, when something was last said.
    """
    said: dict[str, dict[tuple[str, ...], bool]] = {}
    changed_at: dict[str, datetime] = {}
    for user, device, at, _, properties in sorted(consents, key=lambda consent: consent[2:4]):
        for switch, is_on in _statements(json.loads(properties)):
            for name in {user, device or user}:
                said.setdefault(name, {})[switch] = is_on
                changed_at[name] = at
    return {
        user: (
            switches.get(("personalisation",), True),
            switches.get(("research",), True),
            sorted(switch[1] for switch, is_on in switches.items() if switch[1:] and not is_on),
            changed_at[user],
        )
        for user, switches in said.items()
    }


def _statements(properties: dict[str, Any]) -> Iterable[tuple[tuple[str, ...], bool]]:
    named: dict[tuple[str, ...], Any] = {
        (name,): properties.get(name) for name in ("personalisation", "research")
    }
    signals = properties.get("signals")
    if isinstance(signals, dict):
        named |= {("signal", name): signals.get(name) for name in SIGNALS}
    for switch, value in named.items():
        if isinstance(value, bool):
            yield switch, value
        elif isinstance(value, str) and value.lower() in SWITCHES:
            yield switch, SWITCHES[value.lower()]
