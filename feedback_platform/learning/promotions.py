"""Which versions of a model were promoted, in their order: a ledger of the promotions.

Several processes may promote: a training, a person, a rule that rolls back, an experiment that
ships. A promotion is an entry that nobody else wrote, made upon all those before it;
`champion.json` is the ledger's book, replaced as a whole after each. A crash between the two loses
neither: readers take the entries behind the book into account.

A release of before the ledger knows the book alone, and writes it without a number. Whichever of
the entries it had read stand in that already; none of them counts a second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from feedback_platform.lake import keys
from feedback_platform.lake.numbered_ledger import Form, LedgerDamagedError, NumberedLedger
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import ModelUnusableError


@dataclass(frozen=True)
class Promotion:
    """One entry of a model's history: from when on a version was the champion, and why.

    Attributes:
        version: the champion from then on.
        at: UTC.
        reason: a sentence.
        left: the version that a person rolled back from, or nothing.
        request: the run that asked for it, or nothing; one that is tried again asks the same.
    """

    version: str
    at: datetime
    reason: str
    left: str = ""
    request: str = ""


@dataclass(frozen=True)
class Forgotten:
    """A version is struck out of the history: it is about to be deleted."""

    version: str


Decision = Promotion | Forgotten
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class History:
    """What the entries come to.

    Attributes:
        sequence: the newest entry in it; 0 for what is older than the ledger.
        promotions: the champion's last.
        older: those that a release without the ledger wrote; entries may say them again.
    """

    sequence: int = 0
    promotions: tuple[Promotion, ...] = ()
    older: frozenset[Promotion] = frozenset()


def read_promotions(lake: Lake, name: str) -> list[Promotion]:
    """Return the promotions of a model so far, the champion's last.

    Raises:
        ModelUnusableError: the pointer to the champion, or a promotion after it, is damaged.
    """
    with _damage_of(name):
        return list(_ledger(lake, name).book.promotions)


def decide(
    lake: Lake, name: str, upon: Callable[[list[Promotion]], tuple[Answer, Decision | None]]
) -> Answer:
    """Write what is decided upon the promotions so far, and return the answer that goes with it.

    Args:
        lake: where.
        name: of the model.
        upon: returns an answer and an entry, or None where nothing is to be done. It is asked again
            where somebody else was faster.

    Raises:
        ModelUnusableError: the pointer to the champion, or a promotion after it, is damaged.
        LakeUnavailableError: the store failed; the entry was written or not.
    """
    answers: list[Answer] = []

    def entries(known: History) -> list[Decision]:
        answer, entry = upon(list(known.promotions))
        answers.append(answer)
        return [] if entry is None else [entry]

    with _damage_of(name):
        ledger = _ledger(lake, name)
        ledger.write(entries)
        ledger.keep_book()
        # Who keeps an older book over this one later reads on as well, and keeps a newer one.
        while ledger.read_on():
            ledger.keep_book()
    return answers[-1]


@contextmanager
def _damage_of(name: str) -> Iterator[None]:
    try:
        yield
    except LedgerDamagedError as error:
        advice = f"Remove {error.key} from the lake and promote a version."
        problem = f"{error.key.rpartition('/')[2]} is damaged: {error.problem}"
        raise ModelUnusableError(name, "champion", problem, advice) from error


def _ledger(lake: Lake, name: str) -> NumberedLedger[History, Decision]:
    form: Form[History, Decision] = Form(
        empty=History(),
        following=_following,
        entry=lambda number: keys.model_promotion(name, number),
        book=keys.model_champion(name),
        entry_to_json=_entry_to_json,
        entry_from_json=_entry_from_json,
        book_to_json=_book_to_json,
        book_from_json=_book_from_json,
    )
    return NumberedLedger(lake, form)


def _following(history: History, entry: Decision) -> History:
    promotions = history.promotions
    if isinstance(entry, Forgotten):
        promotions = tuple(each for each in promotions if each.version != entry.version)
    elif entry not in history.older:
        promotions = (*promotions, entry)
    return replace(history, sequence=history.sequence + 1, promotions=promotions)


def _entry_to_json(entry: Decision, writer: str) -> bytes:
    kind = "forgotten" if isinstance(entry, Forgotten) else "promoted"
    return registry.to_json({"entry": kind, "writer": writer, **vars(entry)})


def _entry_from_json(content: bytes) -> Decision:
    given = json.loads(content)
    return Forgotten(given["version"]) if given["entry"] == "forgotten" else _promotion(given)


def _book_to_json(history: History) -> bytes:
    promotions = [vars(each) for each in history.promotions]
    version = history.promotions[-1].version if history.promotions else None
    return registry.to_json(
        {"version": version, "history": promotions, "sequence": history.sequence}
    )


def _book_from_json(content: bytes) -> History:
    given = json.loads(content)
    promotions = tuple(_promotion(each) for each in given["history"])
    if "sequence" not in given:
        return History(promotions=promotions, older=frozenset(promotions))
    return History(int(given["sequence"]), promotions)


def _promotion(given: dict[str, Any]) -> Promotion:
    return Promotion(
        version=str(given["version"]),
        at=datetime.fromisoformat(given["at"]),
        reason=str(given["reason"]),
        left=str(given.get("left", "")),
        request=str(given.get("request", "")),
    )
