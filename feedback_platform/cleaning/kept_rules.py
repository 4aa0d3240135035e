"""Every version of the rules that ever cleaned a row, kept in the lake beside the statistics.

A row names the version that made it. The user's file may have changed since, but what was applied
can be looked up, and applied again.
"""

from __future__ import annotations

import json

from feedback_platform.cleaning.configuration import CleaningRules, Encoding, SignalRules
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake


def keep_rules(lake: Lake, rules: CleaningRules) -> None:
    """Store rules under their version, before a row names it."""
    key = keys.cleaning_rules(rules.version)
    if lake.find(key) is None:
        # Whoever else stores them stores the same.
        lake.put(key, rules.content.encode(), mode="overwrite")


def kept_rules(lake: Lake, version: str) -> CleaningRules | None:
    """Return the rules of a version; None where an earlier release did not keep them.

    Raises:
        InvalidInputError: what is stored cannot be read.
    """
    key = keys.cleaning_rules(version)
    stored = lake.find(key)
    if stored is None:
        return None
    try:
        content = json.loads(stored)
        return CleaningRules(
            signals=tuple(SignalRules(**entry) for entry in content["signals"]),
            encodings=tuple(
                Encoding(entry["field"], _pairs(entry["categories"]))
                for entry in content["encodings"]
            ),
            bots=_pairs(content["bots"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"The cleaning rules {key} are damaged, or of a later release: {error!r}"
        ) from error


def _pairs(listed: list[tuple[str, list[str]]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(words)) for name, words in listed)
