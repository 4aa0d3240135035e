"""Acting on what was measured: rules fire, guards condemn or clear, people undo.

Each change is written down before it is made and again after it. A process that dies between leaves
an entry that the next one finishes (`finish`): making a change twice is making it once.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

from feedback_platform.adjustment.rules import entries
from feedback_platform.adjustment.rules.book import Adjustment, Book, Status
from feedback_platform.adjustment.rules.changes import (
    CannotChangeError,
    CategoryChanger,
    Cause,
    Changer,
)
from feedback_platform.adjustment.rules.decision import Verdict
from feedback_platform.adjustment.rules.definition import Kind
from feedback_platform.adjustment.rules.guarding import Outcome, conclude
from feedback_platform.adjustment.rules.ledger import Ledger
from feedback_platform.adjustment.rules.observing import (
    Finding,
    GuardFinding,
    Observation,
    numbers,
)
from feedback_platform.durations import written
from feedback_platform.errors import InvalidInputError, TransientError

# A change, or taking one back, that has not worked for so long is given up.
PATIENCE: Final = timedelta(days=1)
# Who keeps reasons keeps no longer ones; a place may have a name of any length.
_LONGEST_WHY: Final = 1_000
HELD: Final = "Its guards hold."


class Adjuster:
    """Makes changes and takes them back, with the ledger at hand.

    Args:
        ledger: where everything is written down.
        changers: what can be changed, by kind; categories are looked after here.
        clock: returns now (UTC).
    """

    def __init__(
        self, ledger: Ledger, changers: Mapping[Kind, Changer], clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        categories = CategoryChanger(self._treatment)
        self._changers: dict[Kind, Changer] = {
            **changers,
            Kind.HIDE_CATEGORY: categories,
            Kind.BOOST_CATEGORY: categories,
        }
        self.problems: list[str] = []

    def finish(self) -> None:
        """Finish what is unfinished: of a process that died, or that met a passing failure."""
        for adjustment in self._ledger.book.unfinished():
            if adjustment.status is Status.UNDOING:
                self._take_back(adjustment)
            else:
                self._make(adjustment)

    def act(self, observation: Observation) -> list[tuple[Finding, str]]:
        """Do what an observation asks for: guards first, then rules.

        Returns:
            Each finding with what came of it, in words.
        """
        for adjustment, findings in observation.guards:
            self._conclude(adjustment, findings, observation)
        return [(found, self._answer(found, observation)) for found in observation.rules]

    def undo(self, adjustment_id: str, reason: str, until: datetime | None) -> Adjustment:
        """Take back what a rule did, because a person says so; it stays undone.

        Args:
            adjustment_id: of what.
            reason: why.
            until: when the newest event happened that is known (UTC); None of no event.

        Raises:
            InvalidInputError: there is no such adjustment, or nothing of it to undo.
        """
        adjustment = known_adjustment(self._ledger.book, adjustment_id)
        if adjustment.status in {Status.REVERTED, Status.EXPIRED}:
            return adjustment
        if adjustment.status is not Status.APPLIED:
            raise InvalidInputError(
                f"The adjustment {adjustment_id} is {adjustment.status.value}: "
                "there is nothing to undo."
            )
        evidence = adjustment.undo_evidence
        self._undo(adjustment_id, Status.REVERTED, reason, until, evidence)
        return self._ledger.book.adjustments[adjustment_id]

    def _changer(self, kind: Kind) -> Changer:
        if kind not in self._changers:
            raise CannotChangeError(f"There is nothing here that does {kind.value!r}.")
        return self._changers[kind]

    def _treatment(self, category: str) -> str:
        return self._ledger.book.treatment(category)

    def _answer(self, found: Finding, observation: Observation) -> str:
        verdict = found.judgement.verdict
        if verdict is Verdict.REARMS:
            self._ledger.append(entries.Rearmed(found.rule.name, found.scope))
        if verdict is not Verdict.FIRES:
            return verdict.value
        try:
            return self._fire(found, observation)
        except CannotChangeError as error:
            return f"would fire, but: {error}"

    def _fire(self, found: Finding, observation: Observation) -> str:
        rule = found.rule
        action = rule.action.at(found.place)
        change = self._changer(action.kind).plan(action)
        if change.before == change.after:
            return f"beyond the threshold; {change.subject} is {change.after} already"
        adjustment = Adjustment(
            adjustment_id=_identity(found, observation),
            rule=rule.name,
            place=found.place,
            evidence=_evidence(found, observation),
            change=change,
            watch=rule.watch,
            changed_at=observation.newest,
            cooldown_until=observation.newest + rule.cooldown,
            intended_at=self._clock(),
        )
        self._ledger.append(entries.Intended(adjustment))
        self._make(adjustment)
        status = self._ledger.book.adjustments[adjustment.adjustment_id].status
        if status is not Status.APPLIED:
            return f"fires, but: {self.problems[-1]}"
        return f"fired: {change.subject} from {change.before or 'nothing'} to {change.after}"

    def _make(self, adjustment: Adjustment) -> None:
        cause = _cause(adjustment, sentence(adjustment))
        try:
            self._changer(adjustment.change.kind).make(adjustment.change, cause)
        except CannotChangeError as error:
            self._fail(adjustment, str(error))
        except TransientError as error:
            if self._clock() - adjustment.intended_at > PATIENCE:
                self._fail(adjustment, f"Given up after {written(PATIENCE)}: {error}")
            else:
                self._report(adjustment, str(error))
        else:
            self._ledger.append(entries.Made(adjustment.adjustment_id, self._clock()))

    def _fail(self, adjustment: Adjustment, reason: str) -> None:
        self._ledger.append(entries.Failed(adjustment.adjustment_id, reason))
        self._report(adjustment, reason)

    def _report(self, adjustment: Adjustment, problem: str) -> None:
        self.problems.append(f"{adjustment.rule} ({adjustment.adjustment_id}): {problem}")

    def _conclude(
        self, adjustment: Adjustment, findings: Sequence[GuardFinding], observation: Observation
    ) -> None:
        newest = observation.newest
        outcomes = [found.judgement.outcome for found in findings]
        outcome = conclude(adjustment.watch, adjustment.changed_at, newest, outcomes)
        evidence = {
            "newest_batch": observation.batch,
            "compared": [_guard_evidence(found) for found in findings],
        }
        if outcome is Outcome.WORSE:
            reason = "; ".join(map(_harm, filter(_is_worse, findings)))
            self._undo(adjustment.adjustment_id, Status.REVERTED, reason, newest, evidence)
        elif outcome is Outcome.EXPIRED:
            reason = f"Its guards had not decided within {_patience(adjustment)}."
            self._undo(adjustment.adjustment_id, Status.EXPIRED, reason, newest, evidence)
        elif outcome is Outcome.HOLDS:
            is_held = bool(outcomes) and set(outcomes) == {Outcome.HOLDS}
            reason = HELD if is_held else f"Kept undecided after {_patience(adjustment)}."
            self._ledger.append(entries.Kept(adjustment.adjustment_id, reason, evidence))

    def _undo(
        self,
        adjustment_id: str,
        becomes: Status,
        reason: str,
        until: datetime | None,
        evidence: Mapping[str, Any],
    ) -> None:
        self._ledger.append(
            entries.Undoing(adjustment_id, becomes, reason, until, evidence, self._clock())
        )
        self._take_back(self._ledger.book.adjustments[adjustment_id])

    def _take_back(self, adjustment: Adjustment) -> None:
        becomes, reason = adjustment.becomes or Status.REVERTED, adjustment.reason
        try:
            cause = _cause(adjustment, f"Undone: {reason}")
            self._changer(adjustment.change.kind).take_back(adjustment.change, cause)
        except CannotChangeError as error:
            # It is over in any case: what stands there now was put there by somebody else.
            becomes, reason = Status.EXPIRED, f"{reason} Left as it is: {error}"
            self._report(adjustment, str(error))
        except TransientError as error:
            self._report(adjustment, str(error))
            if self._clock() - (adjustment.undoing_at or adjustment.intended_at) <= PATIENCE:
                return
            becomes = Status.EXPIRED
            reason = f"{reason} Given up after {written(PATIENCE)}: {error}"
        self._ledger.append(
            entries.Undone(adjustment.adjustment_id, self._clock(), becomes, reason)
        )


def known_adjustment(book: Book, adjustment_id: str) -> Adjustment:
    """Return an adjustment.

    Raises:
        InvalidInputError: there is none of that id; the text names the one probably meant.
    """
    known = book.adjustments
    if adjustment_id in known:
        return known[adjustment_id]
    close = get_close_matches(adjustment_id, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    raise InvalidInputError(
        f"There is no adjustment {adjustment_id!r}{meant} "
        "`feedback-platform adjustments list` shows those there are."
    )


def sentence(adjustment: Adjustment) -> str:
    """Return why a rule fired."""
    evidence = adjustment.evidence
    return (
        f"{evidence['metric']} at {adjustment.scope} is {evidence['value']:.4g} "
        f"({evidence['low']:.4g} to {evidence['high']:.4g} at {evidence['level']:g}, "
        f"n = {evidence['denominator']}), {evidence['comparison']} {evidence['threshold']:g}"
    )


def _identity(found: Finding, observation: Observation) -> str:
    """Return the id of a firing: the same for whoever finds it in the same tables."""
    text = f"{found.rule.name}\n{found.scope}\n{observation.newest.isoformat()}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _cause(adjustment: Adjustment, why: str) -> Cause:
    return Cause(adjustment.adjustment_id, adjustment.rule, adjustment.scope, why[:_LONGEST_WHY])


def _evidence(found: Finding, observation: Observation) -> dict[str, Any]:
    rule, interval = found.rule, found.judgement.interval
    return {
        "metric": rule.metric,
        **numbers(found.sample),
        "low": interval.low,
        "high": interval.high,
        "level": found.judgement.level,
        "comparison": rule.comparison.value,
        "threshold": rule.threshold,
        "minimum_sample": rule.minimum_sample,
        "window_from": found.span.begins.isoformat(),
        "window_to": found.span.ends.isoformat(),
        "newest_event": observation.newest.isoformat(),
        "newest_batch": observation.batch,
    }


def _guard_evidence(found: GuardFinding) -> dict[str, Any]:
    change = found.judgement.change
    return {
        "metric": found.guard.metric,
        "scope": dict(found.place),
        "before": numbers(found.before),
        "after": numbers(found.after),
        "low": _finite(change.low),
        "high": _finite(change.high),
        "level": found.guard.level,
        "margin": found.guard.margin,
        "outcome": found.judgement.outcome.value,
    }


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _is_worse(found: GuardFinding) -> bool:
    return found.judgement.outcome is Outcome.WORSE


def _harm(found: GuardFinding) -> str:
    change = found.judgement.change
    return (
        f"{found.guard.metric} went from {found.before.value:.4g} to {found.after.value:.4g} "
        f"(by {change.low:+.4g} to {change.high:+.4g} at {found.guard.level:g})"
    )


def _patience(adjustment: Adjustment) -> str:
    expires_after = adjustment.watch.expires_after
    return written(expires_after) if expires_after is not None else "its guards' windows"
