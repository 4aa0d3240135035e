"""GET /v1/recommendations/{user_id}: a user's list of this moment, and why an item is in it.

The list was published; what the user did a moment ago changes it on the way out, and so does an
experiment that the user is in. Told apart before
any routing, and answered from memory: nothing here waits for a disk, a database or another process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import orjson
from starlette.types import Receive, Scope, Send

from feedback_platform.experiments.levers import POPULAR, PUBLISHED
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.privacy.preferences import Preferences
from feedback_platform.serving.access import Access, AccessDeniedError
from feedback_platform.serving.exposures import Exposures
from feedback_platform.serving.impressions import Impressions, named
from feedback_platform.serving.recommendation_requests import (
    RecommendationRefusal,
    Target,
    placement_of,
    target_of,
    wanted_of,
)
from feedback_platform.serving.session_memory import SessionMemory
from feedback_platform.serving.varied_lists import Chosen, VariedLists

Fields = tuple[tuple[bytes, bytes], ...]

_METHODS: Final = b"GET, OPTIONS"
_ANY_ORIGIN: Final = (b"access-control-allow-origin", b"*")
_JSON: Final = (b"content-type", b"application/json")
# A list is one person's, of one moment.
_PRIVATE: Final = (b"cache-control", b"private, no-store")
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"retry-after, www-authenticate, x-request-id",
)
_PREFLIGHT: Final = (
    _ANY_ORIGIN,
    (b"access-control-allow-methods", _METHODS),
    (b"access-control-allow-headers", b"authorization, x-api-key, content-type, x-request-id"),
    (b"access-control-max-age", b"86400"),
)
_RETRY_AFTER: Final = ((b"retry-after", b"5"),)


class UserPreferences(Protocol):
    """Where the server looks up what users allow; at once, from memory."""

    def preferences_of(self, user_id: str) -> Preferences:
        """Return what a user allows."""
        ...


class Recommendations:
    """Answers the paths below `/v1/recommendations/`."""

    def __init__(
        self,
        lists: VariedLists,
        memory: SessionMemory,
        users: UserPreferences,
        access: Access,
        impressions: Impressions,
        exposures: Exposures,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lists = lists
        self._memory = memory
        self._users = users
        self._access = access
        self._impressions = impressions
        self._exposures = exposures
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer a request to a path below `/v1/recommendations/`."""
        try:
            await self._answer(scope, send)
        except RecommendationRefusal as refusal:
            await _send_error(send, refusal.status, refusal.content, refusal.headers)
        except AccessDeniedError as denied:
            await _send_error(send, denied.status, denied.content, denied.headers)

    async def _answer(self, scope: Scope, send: Send) -> None:
        target = target_of(scope.get("raw_path") or scope["path"].encode())
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
            await send({"type": "http.response.body", "body": b""})
            return
        if scope["method"] != "GET":
            text, allow = "This path takes GET.", ((b"allow", _METHODS),)
            raise RecommendationRefusal(405, "method_not_allowed", text, allow)
        self._access.check(dict(scope["headers"]), target.user_id)
        if target.item_id is None:
            content = self._list(target.user_id, scope["query_string"])
        else:
            content = self._explanation(target, target.item_id, scope["query_string"])
        await _send(send, 200, orjson.dumps(content), (_PRIVATE,))

    def _list(self, user_id: str, query: bytes) -> dict[str, Any]:
        wanted = wanted_of(query)
        preferences = self._users.preferences_of(user_id)
        chosen = self._chosen(user_id, wanted.placement, preferences)
        lists, is_personal = chosen.lists, _is_personal(chosen, preferences)
        listed = lists.recommend(
            user_id,
            self._session(user_id, chosen, preferences),
            now=self._clock(),
            n=wanted.limit,
            is_personal=is_personal,
        )
        recommendation_id = self._impressions.new_id()
        for assignment in chosen.assignments:
            self._lists.assignments.note(assignment)
        if wanted.is_logged and listed:
            # First the exposures: what a user does counts from theirs on, and this list is shown.
            for assignment in chosen.assignments:
                self._exposures.note(user_id, assignment)
            self._impressions.log(
                recommendation_id,
                user_id,
                listed,
                placement=wanted.placement,
                model_version=lists.model_version,
                is_personalised=is_personal,
                assignments=chosen.assignments,
            )
        return {
            "recommendation_id": recommendation_id,
            "user_id": user_id,
            "placement": wanted.placement,
            "model_version": lists.model_version,
            "is_personalised": is_personal,
            "experiments": list(map(named, chosen.assignments)),
            "items": [
                {
                    "item_id": each.item_id,
                    "title": each.title,
                    "position": position,
                    "score": each.score,
                    "propensity": each.propensity,
                    "reason": each.reason,
                    "is_exploration": each.is_exploration,
                    "categories": each.categories,
                }
                for position, each in enumerate(listed, start=1)
            ],
        }

    def _explanation(self, target: Target, item_id: str, query: bytes) -> dict[str, Any]:
        placement = placement_of(query)
        preferences = self._users.preferences_of(target.user_id)
        chosen = self._chosen(target.user_id, placement, preferences)
        lists = chosen.lists
        found = lists.explain(
            target.user_id,
            self._session(target.user_id, chosen, preferences),
            item_id,
            now=self._clock(),
            is_personal=_is_personal(chosen, preferences),
        )
        if found is None:
            text = f"There is no item {item_id[:120]!r} that could be recommended."
            raise RecommendationRefusal(404, "item_not_found", text)
        return {
            "user_id": target.user_id,
            "item_id": found.item_id,
            "title": found.title,
            "model_version": lists.model_version,
            "experiments": list(map(named, chosen.assignments)),
            "is_listed": found.is_listed,
            "position": found.position,
            "score": found.score,
            "reasons": [
                {
                    "kind": each.kind,
                    "text": each.text,
                    "item_id": each.item_id,
                    "title": each.title,
                    "weight": each.weight,
                }
                for each in found.reasons
            ],
        }

    def _chosen(self, user_id: str, placement: str, preferences: Preferences) -> Chosen:
        chosen = self._lists.chosen(user_id, placement, preferences)
        if chosen is None:
            text = "No lists were published yet, or they cannot be read; try again later."
            raise RecommendationRefusal(503, "unavailable", text, _RETRY_AFTER)
        return chosen

    def _session(
        self, user_id: str, chosen: Chosen, preferences: Preferences
    ) -> list[SessionEvent]:
        """Return what a user did a moment ago, as far as the user lets it count."""
        if chosen.policy == PUBLISHED or not preferences.is_personalised:
            return []
        events = self._memory.of(user_id)
        if not preferences.signals_off:
            return events
        signals = preferences.signals_off
        off = {rule.event_type for rule in chosen.lists.rules.signals if rule.signal in signals}
        return [event for event in events if event.event_type not in off]


def _is_personal(chosen: Chosen, preferences: Preferences) -> bool:
    return preferences.is_personalised and chosen.policy != POPULAR


async def _send(send: Send, status: int, body: bytes, headers: Fields = ()) -> None:
    length = (b"content-length", b"%d" % len(body))
    fields = [_JSON, _ANY_ORIGIN, _EXPOSED, *headers, length]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def _send_error(send: Send, status: int, content: Any, headers: Fields = ()) -> None:
    body = orjson.dumps(content)
    await _send(send, status, body, (_PRIVATE, *headers))
