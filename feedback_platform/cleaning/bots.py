"""Which events a program made, by what it says of itself; on any engine that narwhals speaks.

Patterns hold on the JSON text of the properties: no engine has to parse it. In JSON the quotes
within a text are escaped, so that nothing a user wrote can look like a key. They use only what the
regular expressions of Rust and Java have in common.
"""

from __future__ import annotations

import re
from typing import Final

import narwhals as nw

from feedback_platform.cleaning.rules_file import DECLARED_BOT
from feedback_platform.events import columns as c

_DECLARED: Final = r'"is_bot"\s*:\s*true'
_USER_AGENT: Final = r'"(?:userAgent|user_agent)"\s*:\s*"[^"]*'


def bot_rule(rules: tuple[tuple[str, tuple[str, ...]], ...]) -> nw.Expr:
    """Return the name of the first rule by which an event is a bot's, null for all others.

    Args:
        rules: (name, parts of a user agent) pairs.
    """
    properties = nw.col(c.PROPERTIES).str
    by_agent = [
        nw.when(properties.contains(_agent_with(parts))).then(nw.lit(name))
        for name, parts in rules
        if parts
    ]
    declared = nw.when(properties.contains(_DECLARED)).then(nw.lit(DECLARED_BOT))
    return nw.coalesce(*by_agent, declared)


def _agent_with(parts: tuple[str, ...]) -> str:
    # Without -u, Rust would take the long s for an s, and Java would not.
    return f"{_USER_AGENT}(?i-u:{'|'.join(map(_literal, parts))})"


def _literal(part: str) -> str:
    return re.sub(r"([^A-Za-z0-9])", r"\\\1", part)
