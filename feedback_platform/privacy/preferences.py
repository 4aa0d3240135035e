"""What a user allows: the record, and how requests and events say what is different from now on.

Both say it in the same words, as a JSON object of which any part may be missing:
`{"personalisation": false, "research": false, "signals": {"click": false}}`. A signal is one of
those in `feedback.user_feedback`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from feedback_platform.errors import InvalidInputError

PERSONALISATION: Final = "personalisation"
RESEARCH: Final = "research"
SIGNALS: Final = "signals"
_SWITCHES: Final = (PERSONALISATION, RESEARCH)
_SPELLED: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Preferences:
    """What somebody allows; whoever never said anything allows everything.

    Attributes:
        is_personalised: whether what they did decides what they are shown, and teaches models.
        allows_research: whether they take part in experiments and in what rules measure.
        signals_off: kinds of feedback that do not count.
    """

    is_personalised: bool = True
    allows_research: bool = True
    signals_off: frozenset[str] = frozenset()

    def content(self, signals: Iterable[str]) -> dict[str, Any]:
        """Return them as JSON says them, each of some signals included."""
        names = sorted({*signals, *self.signals_off})
        return {
            PERSONALISATION: self.is_personalised,
            RESEARCH: self.allows_research,
            SIGNALS: {name: name not in self.signals_off for name in names},
        }


# Of whom it is not known what they allow, and of who is about to be erased.
NOTHING_ALLOWED: Final = Preferences(is_personalised=False, allows_research=False)


@dataclass(frozen=True, slots=True)
class PreferencesChange:
    """What somebody said of their preferences; None, or no word of a signal, leaves it as it was.

    Attributes:
        personalisation, research: whether it is on from now on.
        signals: the same of kinds of feedback.
    """

    personalisation: bool | None = None
    research: bool | None = None
    signals: Mapping[str, bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self != _NO_CHANGE

    @property
    def content(self) -> dict[str, Any]:
        """The properties of the event that says it."""
        said = {PERSONALISATION: self.personalisation, RESEARCH: self.research}
        content: dict[str, Any] = {name: is_on for name, is_on in said.items() if is_on is not None}
        return {**content, SIGNALS: dict(self.signals)} if self.signals else content

    def without(self, later: PreferencesChange) -> PreferencesChange:
        """Return what is left of it when something else was said later."""
        return PreferencesChange(
            self.personalisation if later.personalisation is None else None,
            self.research if later.research is None else None,
            {name: is_on for name, is_on in self.signals.items() if name not in later.signals},
        )

    def of_signals(self, known: Collection[str]) -> PreferencesChange:
        """Return it without words of signals that there are not."""
        signals = {name: is_on for name, is_on in self.signals.items() if name in known}
        return PreferencesChange(self.personalisation, self.research, signals)

    def applied_to(self, preferences: Preferences) -> Preferences:
        """Return what is allowed from now on."""
        on = {name for name, is_on in self.signals.items() if is_on}
        off = self.signals.keys() - on
        was_personalised, allowed_research = (
            preferences.is_personalised,
            preferences.allows_research,
        )
        return Preferences(
            was_personalised if self.personalisation is None else self.personalisation,
            allowed_research if self.research is None else self.research,
            (preferences.signals_off - on) | off,
        )


_NO_CHANGE: Final = PreferencesChange()


def requested_change(content: Any, signals: Collection[str]) -> PreferencesChange:
    """Return what a request asks for.

    Nothing is passed over: a misspelled switch would leave somebody in the belief that it is off.

    Args:
        content: the decoded JSON.
        signals: those that there are.

    Raises:
        InvalidInputError: it is not of the form above; the text says where.
    """
    said = _object(content, "The body")
    _check_names(said, (*_SWITCHES, SIGNALS), "The body")
    of_signals = _object(said.get(SIGNALS, {}), SIGNALS)
    _check_names(of_signals, signals, SIGNALS)
    for where, switches in (("", said), (f"{SIGNALS}.", of_signals)):
        for name, value in switches.items():
            if name != SIGNALS and not isinstance(value, bool):
                raise InvalidInputError(f"{where}{name} accepts true or false.")
    return PreferencesChange(said.get(PERSONALISATION), said.get(RESEARCH), of_signals)


def stated_change(properties: Any) -> PreferencesChange:
    """Return what the properties of a `consent_changed` event say, as the layers read them.

    What is neither true nor false, as JSON has them or as texts, says nothing.
    """
    said = properties if isinstance(properties, Mapping) else {}
    of_signals = said.get(SIGNALS)
    signals = {
        name: is_on
        for name, value in (of_signals.items() if isinstance(of_signals, Mapping) else ())
        if (is_on := _switched(value)) is not None
    }
    return PreferencesChange(
        _switched(said.get(PERSONALISATION)), _switched(said.get(RESEARCH)), signals
    )


def _switched(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return _SPELLED.get(value.lower()) if isinstance(value, str) else None


def _object(content: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise InvalidInputError(
            f'{where} accepts an object, such as {{"{PERSONALISATION}": false}}.'
        )
    return content


def _check_names(said: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for name in said:
        if name not in known:
            raise InvalidInputError(
                f"{where} has no {name[:40]!r}; it accepts {', '.join(sorted(known))}."
            )
