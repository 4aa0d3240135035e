"""For whom a flag is evaluated: what the client said, and what the server knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from feedback_platform.adjustment.flags.definition import (
    PERSONALISATION,
    SEGMENT,
    SEGMENT_ID,
    TARGETING_KEY,
)
from feedback_platform.errors import PermanentError

_LONGEST_KEY: Final = 1000


class InvalidContextError(PermanentError):
    """A context that no flag can be evaluated for."""


class TargetingKeyMissingError(PermanentError):
    """A flag that differs from person to person was asked for without a person."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The flag {key} is split, so the context needs a targetingKey: the id of the user."
        )


@dataclass(frozen=True)
class Facts:
    """What the platform knows of a user.

    Attributes:
        segment_id: of the segment, which keeps it from training to training.
        segment: its name.
        is_personalised: False for who switched personalisation off.
        allows_research: False for who takes part in no experiment.
    """

    segment_id: int | None = None
    segment: str | None = None
    is_personalised: bool = True
    allows_research: bool = True


class UserFacts(Protocol):
    """Where the server looks users up; at once, from memory."""

    def of(self, targeting_key: str) -> Facts:
        """Return what is known of a user; of a stranger, that nothing is."""
        ...


@dataclass(frozen=True)
class Context:
    """Whom a flag is evaluated for.

    Attributes:
        targeting_key: the id of the user, None where nobody said it.
        attributes: what conditions ask for.
        is_personalised: whether rules that split or ask for the segment count.
        allows_research: whether experiments count.
    """

    targeting_key: str | None
    attributes: Mapping[str, Any]
    is_personalised: bool = True
    allows_research: bool = True


_NOTHING: Final = Facts()


def context_of(sent: Mapping[str, Any], users: UserFacts) -> Context:
    """Return the context of a request.

    The segment is the server's to say: what a client says of it does not count. A client may
    switch personalisation off, for somebody whom the server does not know yet, but not on.

    Raises:
        InvalidContextError: the targeting key is no text, or too long.
    """
    key = sent.get(TARGETING_KEY)
    if key is not None and not isinstance(key, str):
        raise InvalidContextError("targetingKey is not a text; send the id of the user.")
    if key and len(key) > _LONGEST_KEY:
        raise InvalidContextError(f"targetingKey has more than {_LONGEST_KEY:,} characters.")
    facts = users.of(key) if key else _NOTHING
    is_personalised = facts.is_personalised and sent.get(PERSONALISATION) is not False
    attributes = {**sent, PERSONALISATION: is_personalised, SEGMENT: None, SEGMENT_ID: None}
    if is_personalised:
        attributes |= {SEGMENT: facts.segment, SEGMENT_ID: facts.segment_id}
    return Context(key or None, attributes, is_personalised, facts.allows_research)
