"""What the product's client sends: messages of Segment's tracking API, as its libraries do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from feedback_platform.simulation.product import catalogue
from feedback_platform.simulation.reactions import Reactions

Message = dict[str, Any]
Properties = dict[str, Any]

PLACEMENT: Final = "home"
_MOVE: Final = timedelta(milliseconds=300)
_VERDICT: Final = timedelta(seconds=2)
_USE_MS: Final = 70_000
_USE: Final = timedelta(milliseconds=_USE_MS)


@dataclass(frozen=True)
class Visit:
    """Somebody looks at a list.

    Attributes:
        number: of the visit in the scenario; ids are made of it.
        user_id: who.
        at: when the list was shown (UTC).
        recommendation_id: of the list.
        items: ids, in their order.
        propensities: the chance of each at its place.
        is_logged: whether the platform notes by itself that it was shown.
        model_version: of the list; nothing for the product's own.
        variant: of the scenario's experiment, by which the user gets it; None outside of it.
    """

    number: int
    user_id: str
    at: datetime
    recommendation_id: str
    items: tuple[str, ...]
    propensities: tuple[float, ...]
    is_logged: bool
    model_version: str = ""
    variant: str | None = None


def catalogue_messages(at: datetime) -> list[Message]:
    """Return the description of each item, as the product's catalogue sends it."""
    return [
        {
            "type": "track",
            "event": "item_updated",
            "messageId": f"catalogue-{item.item_id}",
            "anonymousId": "catalogue",
            "timestamp": written(at),
            "properties": {
                "item_id": item.item_id,
                "title": item.title,
                "categories": [item.category],
            },
        }
        for item in catalogue()
    ]


def messages_of(
    visit: Visit, reactions: Reactions, row: int, used: Sequence[str] = ()
) -> list[Message]:
    """Return what a client sends of a visit, in the order in which it happened.

    Args:
        visit: with the list that was shown.
        reactions: of many visits.
        row: of this one.
        used: items that the user looked for and used, whatever was shown.
    """
    told = [_message(visit, *each) for each in _acts(visit, reactions, row)]
    for number, item in enumerate(used, start=1):
        named = {"item_id": item, "dwell_ms": _USE_MS}
        told.append(
            _message(visit, "item_used", f"reached-{number}", visit.at + number * _USE, named)
        )
    return sorted(told, key=lambda message: str(message["timestamp"]))


def _acts(
    visit: Visit, reactions: Reactions, row: int
) -> Iterator[tuple[str, str, datetime, Properties]]:
    """Yield event, what its id ends with, time and properties."""
    shared: Properties = {
        "recommendation_id": visit.recommendation_id,
        "placement": PLACEMENT,
    }
    if not visit.is_logged:
        products: list[Properties] = [
            {"product_id": item, "position": position + 1, "propensity": propensity}
            for position, (item, propensity) in enumerate(
                zip(visit.items, visit.propensities, strict=True)
            )
        ]
        yield "Product List Viewed", "shown", visit.at, {**shared, "products": products}
    for position, item in enumerate(visit.items):
        named: Properties = {**shared, "product_id": item, "position": position + 1}
        clicked_at = visit.at + _after(reactions.click_ms[row, position])
        if reactions.is_dismissed[row, position]:
            yield "item_dismissed", f"dismissed-{position}", clicked_at, {**named, "item_id": item}
        if not reactions.is_clicked[row, position]:
            continue
        viewed_at = clicked_at + _MOVE + _after(reactions.view_ms[row, position])
        used_at = viewed_at + _MOVE + _after(reactions.use_ms[row, position])
        only: Properties = {"product_id": item}
        view, use = int(reactions.view_ms[row, position]), int(reactions.use_ms[row, position])
        yield "Product Clicked", f"clicked-{position}", clicked_at, named
        yield "Product Viewed", f"viewed-{position}", viewed_at, {**only, "dwell_ms": view}
        if reactions.is_used[row, position]:
            yield "item_used", f"used-{position}", used_at, {"item_id": item, "dwell_ms": use}
        if reactions.is_liked[row, position]:
            yield "Product Added to Wishlist", f"liked-{position}", used_at + _VERDICT, only
        if reactions.is_rated[row, position]:
            rating = {**only, "rating": int(reactions.stars[row, position])}
            yield "Product Reviewed", f"rated-{position}", used_at + _VERDICT, rating


def bad_messages(visit: Visit, count: int) -> list[Message]:
    """Return rows that no contract accepts, as a broken release of the client sends them.

    A rating of eleven stars, a click on nothing, a time that is none, in turn.
    """
    faults: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
        ("Product Reviewed", {"product_id": visit.items[0], "rating": 11}, {}),
        ("Product Clicked", {"position": 1}, {}),
        ("Product Viewed", {"product_id": visit.items[0]}, {"timestamp": "just now"}),
    )
    return [
        _message(visit, event, f"broken-{number}", visit.at, properties) | dict(replaced)
        for number in range(count)
        for event, properties, replaced in [faults[(visit.number + number) % len(faults)]]
    ]


def ended_at(messages: list[Message], visit: Visit) -> datetime:
    """Return when a client sends what it has gathered: after the last of it."""
    times = [str(message["timestamp"]) for message in messages]
    last = max((text for text in times if text[:1].isdigit()), default=written(visit.at))
    return datetime.fromisoformat(last) + _VERDICT


def written(at: datetime) -> str:
    """Return a time (UTC) as clients write it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(
    visit: Visit, event: str, ends: str, at: datetime, properties: Mapping[str, Any]
) -> Message:
    return {
        "type": "track",
        "event": event,
        "messageId": f"visit-{visit.number}-{ends}",
        "userId": visit.user_id,
        "timestamp": written(at),
        "properties": {**properties, "session_id": f"session-{visit.number}"},
    }


def _after(milliseconds: Any) -> timedelta:
    return timedelta(milliseconds=int(milliseconds))
