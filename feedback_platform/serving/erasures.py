"""Requests to be erased that come over HTTP: recorded in the lake, and heeded from then on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import partial
from typing import Final

from feedback_platform.clock import Clock, utc_now
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.requests import (
    ErasureRequest,
    file_request,
    pending_requests,
    read_request,
    written_request,
)
from feedback_platform.privacy.subject_requests import is_subject_request_id
from feedback_platform.serving.neighbours import Neighbours
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.store_calls import StoreCalls

_TOPIC: Final = b"erasures"
# Who asks again so soon sends the same request again. Later it is a new one: what was done since an
# earlier one is not erased by that.
SAME_FOR: Final = timedelta(minutes=1)


class Erasures:
    """Files requests, and tells every process of this server."""

    def __init__(
        self,
        lake: Lake,
        pending: PendingPreferences,
        neighbours: Neighbours,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._lake = lake
        self._pending = pending
        self._neighbours = neighbours
        self._clock = clock
        self._store = StoreCalls("erasures")
        neighbours.subscribe(_TOPIC, self._heard)

    async def file_once(self, user_id: str) -> ErasureRequest:
        """Return the request that a user has just filed and that is pending, or file one.

        Raises:
            InvalidInputError: it is no user's id.
            RequestRefusedError: the store failed (503).
        """
        known = self._pending.requests
        request = await self._store.run(partial(self._found_or_filed, user_id, known))
        self._heed(request)
        return request

    async def file(self, user_ids: Iterable[str], request_id: str) -> ErasureRequest:
        """File a request under an id of somebody else.

        Raises:
            InvalidInputError: one is no user's id.
            LakeObjectExistsError: a request of this id is pending.
            RequestRefusedError: the store failed (503).
        """
        named = list(user_ids)
        file = partial(file_request, self._lake, named, now=self._clock(), request_id=request_id)
        request = await self._store.run(file)
        self._heed(request)
        return request

    def _found_or_filed(self, user_id: str, known: Collection[ErasureRequest]) -> ErasureRequest:
        now = self._clock()
        for request in pending_requests(self._lake, known):
            # One that came from somebody else may be withdrawn by them.
            is_own = not is_subject_request_id(request.request_id)
            is_repeated = now - request.requested_at < SAME_FOR
            if is_own and is_repeated and user_id in request.layer_users:
                return request
        return file_request(self._lake, [user_id], now=now)

    def _heed(self, request: ErasureRequest) -> None:
        self._pending.take_request(request)
        self._neighbours.send(_TOPIC, written_request(request))

    def _heard(self, payload: bytes) -> None:
        self._pending.take_request(read_request(payload))
