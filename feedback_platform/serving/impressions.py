"""What was recommended goes back into the loop: each answered list is one received line.

An answer never waits for the disk. While the lake fails, the answers go out and their lines are
lost; how many is counted, and said in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

import orjson

from feedback_platform.events import columns as c
from feedback_platform.events.received import Format, opened_line
from feedback_platform.events.translation.segment_names import RECOMMENDATIONS_SHOWN
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.tombstones import ANONYMOUS
from feedback_platform.learning.columns import MODEL_VERSION
from feedback_platform.learning.online.records import Listed

_log = logging.getLogger(__name__)

SOURCE: Final = "recommendations"
# Not durable yet; what senders wait for has the rest of the writer's room.
_MOST_WAITING_BYTES: Final = 16 << 20
_LOG_SECONDS: Final = 10.0


class Impressions:
    """Hands lists that were answered to the collector's writer.

    Attributes:
        logged: how many lists are durable.
        lost: how many lists are not, and never will be.
    """

    def __init__(self, station: Station) -> None:
        self._station = station
        self._waiting_bytes = 0
        self._told_at: float | None = None
        self.logged = 0
        self.lost = 0

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
        """
        if not listed:
            return
        now, received_at = self._station.now()
        is_anonymous = user_id.startswith(ANONYMOUS)
        owner = {"anonymousId" if is_anonymous else "userId": user_id.removeprefix(ANONYMOUS)}
        products: list[dict[str, object]] = [
            {"product_id": each.item_id, c.POSITION: position}
            for position, each in enumerate(listed, start=1)
        ]
        if is_personalised:
            for product, each in zip(products, listed, strict=True):
                product[c.PROPENSITY] = each.propensity
        message = {
            "type": "track",
            "event": RECOMMENDATIONS_SHOWN,
            "messageId": recommendation_id,
            **owner,
            "timestamp": received_at,
            "properties": {
                c.RECOMMENDATION_ID: recommendation_id,
                c.PLACEMENT: placement,
                MODEL_VERSION: model_version,
                "is_personalised": is_personalised,
                "products": products,
            },
        }
        opening = opened_line(Format.SEGMENT, received_at=received_at, source=SOURCE)
        line = opening + orjson.dumps(message) + b"}\n"
        if self._waiting_bytes + len(line) > _MOST_WAITING_BYTES:
            self._lose("too many wait for the store")
            return
        try:
            taken = self._station.commit.take(line, now)
        except RequestRefusedError as refusal:
            self._lose(str(refusal))
            return
        self._waiting_bytes += len(line)
        taken.add_done_callback(lambda done: self._settle(done, len(line)))

    def _settle(self, done: asyncio.Future[str | None], size: int) -> None:
        self._waiting_bytes -= size
        failure = "the server stops" if done.cancelled() else done.result()
        if failure is None:
            self.logged += 1
        else:
            self._lose(failure)

    def _lose(self, why: str) -> None:
        self.lost += 1
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= _LOG_SECONDS:
            self._told_at = now
            _log.error("Impressions of lists are lost, %d so far: %s", self.lost, why)
