"""Which states are good, and which are to be looked at."""

from __future__ import annotations

from typing import Any

from feedback_platform.dashboard.pages.elements import Tone

_GOOD = frozenset({"champion", "ship", "passed", "resolved", "running", "applied"})
_BAD = frozenset({"rejected", "critical", "error", "stop: harms", "failed"})
_WARNING = frozenset(
    {"reverted", "warning", "candidate", "invalid: sample ratio", "open", "drifted"}
)


def status(value: Any) -> Tone:
    """Return the tone of a state of a model, an adjustment, an experiment or a decision."""
    if value in _GOOD:
        return "good"
    if value in _BAD:
        return "bad"
    return "warning" if value in _WARNING else ""


def severity(value: Any) -> Tone:
    """Return the tone of an alert's severity."""
    return status(str(value).lower())


def passed(value: Any) -> Tone:
    """Return the tone of a check's outcome."""
    return "good" if value else "bad"
