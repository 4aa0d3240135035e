"""What users allow, worked out one event at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

SIGNALS = {"rating", "like", "dismissal", "conversion", "use", "click", "view"}
SWITCHES = {"true": True, "false": False}

Preferences = dict[str, tuple[bool, bool, list[str], datetime]]


def preferences_by_hand(consents: Iterable[tuple[str, datetime, str, str]]) -> Preferences:
    """Read events (user, time, id, properties as text) in the order in which they happened.

    Returns:
        By user: personalisation, research, signals that are off, when something was last said.
    """
    said: dict[str, dict[tuple[str, ...], bool]] = {}
    changed_at: dict[str, datetime] = {}
    for user, at, _, properties in sorted(consents, key=lambda consent: consent[1:3]):
        for switch, is_on in _statements(json.loads(properties)):
            said.setdefault(user, {})[switch] = is_on
            changed_at[user] = at
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
