"""What a user's session came to: which items leave the list, and what it adds to their history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from feedback_platform.learning.online.people import Person
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.learning.online.session_feedback import Piece, SessionRules
from feedback_platform.learning.ranker_history import SETTLING

_IMPRESSION: Final = "item_impression"
_CLICK: Final = "item_clicked"


@dataclass(frozen=True, slots=True)
class Taken:
    """An item that the session says something of.

    Attributes:
        item: its index.
        second: when it was last said.
        is_liked: whether it speaks for the item.
        event_type: of the last event that said anything.
    """

    item: int
    second: int
    is_liked: bool
    event_type: str


@dataclass(frozen=True)
class Session:
    """What was added to a user's history since the lists were made.

    Attributes:
        taken: what was observed, the newest last.
        leaving: items that are not listed any more: those with feedback of any kind.
        shown: impressions whose clicks are known by now: item, second as the history has it,
            whether it was clicked.
    """

    taken: tuple[Taken, ...] = ()
    leaving: frozenset[int] = frozenset()
    shown: tuple[tuple[int, int, bool], ...] = ()

    @property
    def liked(self) -> list[Taken]:
        """What speaks for its item, the newest last."""
        return [each for each in self.taken if each.is_liked]

    @cached_property
    def taken_back(self) -> frozenset[int]:
        """Items that the session says something against."""
        return frozenset(each.item for each in self.taken if not each.is_liked)


NO_SESSION: Final = Session()


@dataclass
class _OfItem:
    pieces: list[Piece] = field(default_factory=list)
    event_type: str = ""
    is_said: bool = False


def session_of(
    events: Sequence[SessionEvent],
    person: Person,
    rows: Mapping[str, int],
    rules: SessionRules,
    *,
    threshold: float,
    now: float,
) -> Session:
    """Return what some events of a user add to what is known.

    What the lists know already counts for nothing: feedback on an item that is not newer than the
    stored one. Of an item with earlier feedback the session's own word is taken where there is any,
    as what was said wins over what was done; what was only done leaves the opinion as it was.

    Args:
        events: in any order; those after `now` or before 1970, and of unknown items, are left out.
        person: what is known.
        rows: index of each item.
        rules: how an event becomes feedback.
        threshold: a score from here on is positive.
        now: in seconds since 1970.
    """
    ordered = sorted(
        (event for event in events if 0 <= event.at <= now and event.item_id in rows),
        key=lambda event: event.at,
    )
    if not ordered:
        return NO_SESSION
    # Looked for in lists: they are short, and every access to a mapped array costs as much.
    known = dict(zip(person.own.tolist(), range(len(person.own)), strict=True))
    found: defaultdict[int, _OfItem] = defaultdict(_OfItem)
    for event in ordered:
        piece = rules.piece(event)
        if piece is None:
            continue
        item = rows[event.item_id]
        place = known.get(item)
        if place is not None and int(event.at) <= person.own_seconds[place]:
            continue
        of_item = found[item]
        if piece.is_observed:
            of_item.pieces.append(piece)
            of_item.event_type = event.event_type
            of_item.is_said |= piece.is_explicit
    taken = []
    for item, of_item in found.items():
        if not of_item.pieces:
            continue
        place = known.get(item)
        if place is None or of_item.is_said:
            score = rules.score(of_item.pieces)
        else:
            score = float(person.own_scores[place])
        second = int(of_item.pieces[-1].at)
        taken.append(Taken(item, second, score >= threshold, of_item.event_type))
    taken.sort(key=lambda each: (each.second, each.item))
    return Session(tuple(taken), frozenset(found), _settled(ordered, person, rows, now))


def _settled(
    ordered: Sequence[SessionEvent], person: Person, rows: Mapping[str, int], now: float
) -> tuple[tuple[int, int, bool], ...]:
    """Return impressions that are old enough to be known by their clicks."""
    shown = []
    newest: dict[str, float] = {}
    clicked = set()
    # Of one instant, what was shown was clicked.
    for event in sorted(ordered, key=lambda event: (event.at, event.event_type == _CLICK)):
        if event.event_type == _IMPRESSION:
            newest[event.item_id] = event.at
            if int(event.at) + SETTLING <= int(now):
                shown.append(event)
        elif event.event_type == _CLICK:
            # A click belongs to the newest impression before it.
            at = newest.get(event.item_id)
            if at is not None and event.at - at <= SETTLING:
                clicked.add((event.item_id, at))
    if not shown:
        return ()
    known = set(zip(person.shown.tolist(), person.shown_seconds.tolist(), strict=True))
    settled = [(rows[s.item_id], int(s.at) + SETTLING, (s.item_id, s.at) in clicked) for s in shown]
    return tuple(each for each in settled if each[:2] not in known)
