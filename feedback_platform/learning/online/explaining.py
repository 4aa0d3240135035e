"""Why an item is where it is, in words that its user understands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from feedback_platform.learning.online.catalogue import Catalogue
from feedback_platform.learning.online.people import Person
from feedback_platform.learning.online.records import Reason, ReasonKind
from feedback_platform.learning.online.session import Session
from feedback_platform.learning.recommendations import BECAUSE_LIKED, EXPLORED, FITTING, POPULAR

_DID: Final = {
    "item_liked": "liked",
    "item_rated": "rated",
    "item_used": "used",
    "item_converted": "chose",
}
_LOOKED: Final = "looked at"
# A segment or a week says something where it differs so much from everybody, or from the month.
_NOTABLE: Final = 1.2
_WEEKS_A_MONTH: Final = 30 / 7


def because(
    catalogue: Catalogue, session: Session, *, likes: Sequence[int] | None, led_by: int
) -> str:
    """Return the reason of a listed item in one sentence.

    Args:
        catalogue: the items.
        session: what happened since the list was made.
        likes: the user's likes that speak for it, the nearest first, -1 for none; None of a user
            whom the model does not know.
        led_by: which of the session's items has raised it, -1 for none.
    """
    if led_by >= 0:
        return f"Because you {_did(session, led_by)} {catalogue.titles[led_by]} a moment ago"
    if likes is None:
        return POPULAR
    for liked in likes:
        if liked >= 0 and liked not in session.taken_back:
            return BECAUSE_LIKED.format(catalogue.titles[liked])
    return FITTING


def reasons_for(
    item: int,
    catalogue: Catalogue,
    person: Person,
    session: Session,
    *,
    place: int | None,
    propensity: float | None,
) -> tuple[Reason, ...]:
    """Return what speaks for an item: what is of the user before what is of everybody.

    Args:
        item: its index.
        catalogue: the items.
        person: who asks.
        session: what happened since the lists were made.
        place: of the item among the stored candidates; -1 or None for none.
        propensity: of its place where it was put there to find out, otherwise None.
    """
    return (
        *([] if propensity is None else [_of_exploration(propensity)]),
        *_of_session(item, catalogue, session),
        *_of_likes(catalogue, person, session, -1 if place is None else place),
        *_of_segment(item, catalogue, person),
        *_of_everybody(item, catalogue),
    )


def _of_exploration(propensity: float) -> Reason:
    return Reason(ReasonKind.EXPLORATION, EXPLORED, None, None, propensity)


def _of_session(item: int, catalogue: Catalogue, session: Session) -> Iterator[Reason]:
    liked = np.array([each.item for each in session.liked], dtype=np.int64)
    led = catalogue.neighbours.after(liked)
    is_it = led.items == item
    found = sorted(
        zip(led.weights[is_it].tolist(), led.leaders[is_it].tolist(), strict=True), reverse=True
    )
    for weight, leader in found:
        title = catalogue.titles[leader]
        text = (
            f"You {_did(session, leader)} {title} a moment ago, and people often take this "
            "together with it"
        )
        yield Reason(ReasonKind.SESSION, text, catalogue.item_ids[leader], title, weight)


def _of_likes(
    catalogue: Catalogue, person: Person, session: Session, place: int
) -> Iterator[Reason]:
    scores = dict(zip(person.seen.tolist(), person.seen_scores.tolist(), strict=True))
    for liked, cosine in _likes(person, session, place):
        title = catalogue.titles[liked]
        text = f"You liked {title}, and so did many of the people who like this"
        weight = cosine * scores.get(liked, 0.0)
        yield Reason(ReasonKind.LIKED, text, catalogue.item_ids[liked], title, weight)


def _of_segment(item: int, catalogue: Catalogue, person: Person) -> Iterator[Reason]:
    if person.segment < 0:
        return
    lift = float(catalogue.lifts[person.segment, item])
    if lift >= _NOTABLE:
        text = (
            f"People of your group, {catalogue.segments[person.segment]}, like it {lift:.1f} times "
            "as often as everybody"
        )
        yield Reason(ReasonKind.SEGMENT, text, None, None, lift)


def _of_everybody(item: int, catalogue: Catalogue) -> Iterator[Reason]:
    # The first of an item's features are logarithms of counts: ever, in 30 and in 7 days.
    likes, monthly, weekly = np.expm1(catalogue.features[item, :3].astype(np.float64)).round()
    trend = weekly * _WEEKS_A_MONTH / max(monthly, 1.0)
    if trend >= _NOTABLE:
        text = f"It was liked {trend:.1f} times as often this week as in an average week"
        yield Reason(ReasonKind.TREND, text, None, None, float(trend))
    if likes:
        people = "person likes" if likes == 1 else "people like"
        yield Reason(ReasonKind.POPULAR, f"{likes:,.0f} {people} it", None, None, float(likes))


def _likes(person: Person, session: Session, place: int) -> Iterator[tuple[int, float]]:
    """Return the likes that speak for a candidate and still stand, the nearest first."""
    if person.candidates is None or place < 0:
        return
    likes, cosines = person.candidates.likes[place], person.candidates.cosines[place]
    for liked, cosine in zip(likes.tolist(), cosines.tolist(), strict=True):
        if liked >= 0 and liked not in session.taken_back:
            yield liked, cosine


def _did(session: Session, item: int) -> str:
    event_type = next((each.event_type for each in session.taken if each.item == item), "")
    return _DID.get(event_type, _LOOKED)
