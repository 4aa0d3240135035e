"""What was recommended goes back into the loop: each answered list is one received line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feedback_platform.events import columns as c
from feedback_platform.events.translation.segment_names import RECOMMENDATIONS_SHOWN
from feedback_platform.experiments.running import Assignment
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.learning.columns import MODEL_VERSION
from feedback_platform.learning.online.records import Listed
from feedback_platform.serving.own_events import OwnEvents

SOURCE: Final = "recommendations"


class Impressions:
    """Tells of lists that were answered."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._events = OwnEvents(station, source=SOURCE, what="Impressions of lists")

    @property
    def logged(self) -> int:
        """How many lists are durable."""
        return self._events.logged

    @property
    def lost(self) -> int:
        """How many lists are not, and never will be."""
        return self._events.lost

    def new_id(self) -> str:
        """Return an id for a list that is about to be answered."""
        return self._station.new_id()

    def log(
        self,
        recommendation_id: str,
        user_id: str,
        listed: Sequence[Listed],
        *,
        placement: str,
        model_version: str,
        is_personalised: bool,
        assignments: Sequence[Assignment] = (),
    ) -> None:
        """Note that a list was answered. It returns at once, and never fails.

        The line's own id is that of the recommendation, so that it counts once however often it is
        told. Of a list that is not personal no propensities are told: nothing was drawn for its
        user, who takes no part in learning from chance.

        Args:
            recommendation_id: of the answer.
            user_id: as the layers have it, `anonymous:DEVICE` for a device of nobody known.
            listed: in their order.
            placement: the part of the product that shows them.
            model_version: of the lists.
            is_personalised: whether the list is the user's own.
            assignments: by which the list is what it is; an impression is of the first of them,
                and tells of the others, too.
        """
        if not listed:
            return
        products = [
            {"product_id": each.item_id, c.POSITION: position}
            | ({c.PROPENSITY: each.propensity} if is_personalised else {})
            for position, each in enumerate(listed, start=1)
        ]
        properties: dict[str, Any] = {
            c.RECOMMENDATION_ID: recommendation_id,
            c.PLACEMENT: placement,
            MODEL_VERSION: model_version,
            "is_personalised": is_personalised,
            "products": products,
        }
        if assignments:
            properties |= named(assignments[0])
        if assignments[1:]:
            properties["other_experiments"] = list(map(named, assignments[1:]))
        message = {
            "type": "track",
            "event": RECOMMENDATIONS_SHOWN,
            "messageId": recommendation_id,
            "properties": properties,
        }
        self._events.say(message, user_id, self._station.now())


def named(assignment: Assignment) -> dict[str, str]:
    """Return an assignment as events and answers name it."""
    return {c.EXPERIMENT_ID: assignment.experiment_id, c.VARIANT: assignment.variant}
