"""What the events of a session say of items, by the definitions that the layers have.

The weights of the signals and the constants of the score are the seeds of the dbt project; how a
value is normalised is decided by the cleaning rules and their reference. All of it is handed over
as tables, and kept in the file of lists. The formula is that of `feedback.feedback_scores`
(dbt_project/macros/feedback_scores.sql), for the pieces of feedback of one visit; a test compares
the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.learning.online.records import SessionEvent

_DAY: Final = 86_400.0
# As many as the layers round to.
_DIGITS: Final = 9
_CONSTANTS: Final = (
    "half_life_days",
    "neutral_value",
    "imputed_confidence",
    "brief_view",
    "conflict_distance",
    "conflict_implicit_share",
)


@dataclass(frozen=True)
class SignalRule:
    """What one event type says: a row of the cleaning rules beside its signal's weights.

    Attributes:
        event_type, signal, is_explicit: which, and whether the user said it or did it.
        score_low, score_high, confidence: as in `feedback.signal_weights`.
        is_log: whether values are judged by their logarithm.
        impute_value: what stands for a missing value, None for nothing.
        lower_bound, upper_bound: outside of them a value is an outlier, None where that side is
            open.
        is_capped: whether the bound then takes the value's place, or nobody believes it.
        normalisation: `min_max` or `z_score`; None where the signal has no value.
        origin, width: of the normalisation.
    """

    event_type: str
    signal: str
    is_explicit: bool
    score_low: float
    score_high: float
    confidence: float
    is_log: bool
    impute_value: float | None
    lower_bound: float | None
    upper_bound: float | None
    is_capped: bool
    normalisation: str | None
    origin: float | None
    width: float | None


@dataclass(frozen=True)
class Piece:
    """One piece of feedback; see `feedback.user_feedback` for the meaning of each part."""

    signal: str
    is_explicit: bool
    score: float
    confidence: float
    is_observed: bool
    is_brief: bool
    at: float


@dataclass(frozen=True)
class SessionRules:
    """How a session's events become feedback.

    Attributes:
        signals: one for each event type that says something of an item.
        constants: those of the feedback score, by their names in `feedback.score_rules`.
    """

    signals: tuple[SignalRule, ...]
    constants: Mapping[str, float]

    def __post_init__(self) -> None:
        missing = [name for name in _CONSTANTS if name not in self.constants]
        if missing:
            raise InvalidInputError(f"The score rules have no {', '.join(missing)}.")

    @classmethod
    def of(
        cls, cleaning: pl.DataFrame, weights: pl.DataFrame, constants: pl.DataFrame
    ) -> SessionRules:
        """Return the rules that some tables spell.

        Args:
            cleaning: the rules of cleaning, worked out into numbers, of one kind of device.
            weights: `feedback.signal_weights`.
            constants: `feedback.score_rules`.

        Raises:
            InvalidInputError: a constant is missing.
        """
        worked_out = cleaning.join(weights, on="signal").sort("signal").to_dicts()
        rules = dict(constants.select("rule", "value").iter_rows())
        return cls(
            tuple(_rule(row) for row in worked_out),
            {name: rules[name] for name in _CONSTANTS if name in rules},
        )

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> SessionRules:
        """Return the rules that `as_facts` described.

        Raises:
            InvalidInputError: the description is not one of these.
        """
        try:
            signals = tuple(SignalRule(**rule) for rule in facts["signals"])
            return cls(signals, {name: float(facts["constants"][name]) for name in _CONSTANTS})
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"These are no rules of a session: {error!r}.") from error

    def as_facts(self) -> dict[str, Any]:
        """Return the rules as JSON has them."""
        return {
            "signals": [asdict(rule) for rule in self.signals],
            "constants": dict(self.constants),
        }

    def piece(self, event: SessionEvent) -> Piece | None:
        """Return what an event says of its item; None where it says nothing.

        So does one with a value that cleaning would refuse.
        """
        rule = next((each for each in self.signals if each.event_type == event.event_type), None)
        kind = EVENT_TYPES.get(event.event_type)
        if rule is None or kind is None or not kind.allows(event.value):
            return None
        value = event.value
        is_imputed = value is None and rule.impute_value is not None
        is_low = value is not None and rule.lower_bound is not None and value < rule.lower_bound
        is_high = value is not None and rule.upper_bound is not None and value > rule.upper_bound
        confidence = rule.confidence
        if is_imputed:
            value, confidence = rule.impute_value, confidence * self.constants["imputed_confidence"]
        elif is_low or is_high:
            if rule.is_capped:
                value = rule.lower_bound if is_low else rule.upper_bound
            else:
                confidence = 0.0
        share = _normalised(rule, value)
        neutral = self.constants["neutral_value"] if share is None else share
        return Piece(
            signal=rule.signal,
            is_explicit=rule.is_explicit,
            score=round(rule.score_low + neutral * (rule.score_high - rule.score_low), _DIGITS),
            confidence=confidence,
            is_observed=confidence > 0 and not (is_imputed or is_low or is_high),
            is_brief=rule.signal == "view"
            and not is_imputed
            and share is not None
            and share <= self.constants["brief_view"],
            at=event.at,
        )

    def score(self, pieces: Sequence[Piece]) -> float:
        """Return the feedback score of an item after some pieces of one visit, believed ones.

        Args:
            pieces: at least one; of two of the same instant the later one counts as the later.
        """
        ordered = sorted(pieces, key=lambda piece: piece.at)
        ratings = [piece for piece in ordered if piece.is_explicit and piece.signal == "rating"]
        opinions = [piece for piece in ordered if piece.is_explicit and piece.signal != "rating"]
        said = sorted([*ratings[-1:], *opinions[-1:]], key=ordered.index)
        # Of a rating and an opinion that contradict each other, the later speaks.
        spoken = [
            piece
            for piece in said
            if abs(piece.score - said[-1].score) < self.constants["conflict_distance"]
        ]
        done = [piece for piece in ordered if not piece.is_explicit]
        last = ordered[-1].at
        explicit, explicit_belief = self._side(spoken, last)
        implicit, implicit_belief = self._side(done, last)
        if explicit is None or implicit is None:
            return implicit if explicit is None else explicit  # type: ignore[return-value]
        looks = [piece for piece in done if piece.signal != "click"]
        is_bounce = len(looks) == 1 and looks[0].is_brief
        distance = self.constants["conflict_distance"]
        contradicts = abs(explicit - implicit) >= distance or (
            is_bounce and explicit - looks[0].score >= distance
        )
        if contradicts:
            implicit_belief *= self.constants["conflict_implicit_share"]
        total = explicit * explicit_belief + implicit * implicit_belief
        return round(total / (explicit_belief + implicit_belief), _DIGITS)

    def _side(self, pieces: Iterable[Piece], last: float) -> tuple[float | None, float]:
        """Return the mean score of what was said, or of what was done, and the belief in it."""
        total = weighed = 0.0
        doubt = 1.0
        for piece in pieces:
            age = (int(last) - int(piece.at)) / (self.constants["half_life_days"] * _DAY)
            weight = piece.confidence * 0.5**age
            total += piece.score * weight
            weighed += weight
            doubt *= 1 - weight
        return (round(total / weighed, _DIGITS), 1 - doubt) if weighed else (None, 0.0)


def _normalised(rule: SignalRule, value: float | None) -> float | None:
    """Return a value on [0, 1]; None where the signal has none."""
    if value is None or rule.normalisation is None or rule.origin is None or rule.width is None:
        return None
    if rule.width == 0:
        return 0.5
    share = ((math.log1p(value) if rule.is_log else value) - rule.origin) / rule.width
    if rule.normalisation == "min_max":
        return min(max(share, 0.0), 1.0)
    return 0.5 * (1 + math.erf(share / math.sqrt(2)))


def _rule(row: Mapping[str, Any]) -> SignalRule:
    def finite(name: str) -> float | None:
        value = row[name]
        return value if value is not None and math.isfinite(value) else None

    return SignalRule(
        event_type=row["event_type"],
        signal=row["signal"],
        is_explicit=row["feedback_type"] == "explicit",
        score_low=row["score_low"],
        score_high=row["score_high"],
        confidence=row["confidence"],
        is_log=row["is_log"],
        impute_value=finite("impute_value"),
        lower_bound=finite("lower_bound"),
        upper_bound=finite("upper_bound"),
        is_capped=row["outlier_treatment"] == "cap",
        normalisation=row["normalisation_rule"],
        origin=finite("origin"),
        width=finite("width"),
    )
