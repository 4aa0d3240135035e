"""The product in front of the platform: it asks for lists, and sends what its users do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from feedback_platform.errors import PermanentError
from feedback_platform.scenario.in_process import Answer, InProcessServer
from feedback_platform.scenario.messages import PLACEMENT, Message, written
from feedback_platform.scenario.virtual_clock import VirtualClock

_GOOD: Final = 200
_NOT_YET: Final = 503
# Who wants nothing personal gets what is popular, without a draw, as the ranking policy has it.
_NOBODY: Final = "nobody"
# No experiment varies what is asked for here.
_ASIDE: Final = "aside"
# As many messages as fit into a batch of Segment's.
_BATCH: Final = 100


class ServerRefusedError(PermanentError):
    """The platform refused what its own product asked for."""


@dataclass(frozen=True)
class Keys:
    """The secrets that the product has.

    Attributes:
        write: with which its clients send.
        api: with which its server asks for lists.
    """

    write: str
    api: str


@dataclass(frozen=True)
class Listed:
    """A list of items.

    Attributes:
        recommendation_id, model_version: of the list.
        items: ids, in their order.
        propensities: the chance of each at its place.
        variants: experiment → variant, of those that made the list.
    """

    recommendation_id: str
    model_version: str
    items: tuple[str, ...]
    propensities: tuple[float, ...]
    variants: Mapping[str, str] = field(default_factory=dict)


class Product:
    """Speaks to the platform for its users, each request at the user's own time.

    Args:
        server: the platform's application.
        clock: by which the platform lives.
        keys: with which it lets the product in.
        positions: items of a list.
    """

    def __init__(
        self, server: InProcessServer, clock: VirtualClock, keys: Keys, positions: int
    ) -> None:
        self._server = server
        self._clock = clock
        self._keys = keys
        self._positions = positions
        self.requests = 0

    async def shown_list(self, user_id: str, at: datetime) -> Listed | None:
        """Return the list that a user is shown at a moment (UTC); None before there are lists."""
        return await self._list(user_id, at, placement=PLACEMENT, is_logged=True)

    async def variants_of(self, user_id: str, at: datetime) -> Mapping[str, str]:
        """Return experiment → variant of the list that a user would be shown; nobody notes it."""
        listed = await self._list(user_id, at, placement=PLACEMENT, is_logged=False)
        return {} if listed is None else listed.variants

    async def personal_list(self, user_id: str, at: datetime) -> Listed | None:
        """Return the user's own list, which the user need not be shown; nobody notes it."""
        return await self._list(user_id, at, placement=_ASIDE, is_logged=False)

    async def open(self, at: datetime) -> None:
        """Switch personalisation off for the user by whom `popular_list` asks."""
        path, wanted = f"/v1/users/{_NOBODY}/preferences", {"personalisation": False}
        with self._clock.at(at):
            _good(await self._ask("PUT", path, "", wanted))

    async def popular_list(self, at: datetime) -> Listed | None:
        """Return what is popular, the same for everybody; nobody notes it."""
        return await self._list(_NOBODY, at, placement=_ASIDE, is_logged=False)

    async def _list(
        self, user_id: str, at: datetime, *, placement: str, is_logged: bool
    ) -> Listed | None:
        log = "true" if is_logged else "false"
        query = urlencode({"limit": self._positions, "placement": placement, "log": log})
        with self._clock.at(at):
            answer = await self._ask("GET", f"/v1/recommendations/{user_id}", query)
        if answer.status == _NOT_YET:
            return None
        content = _good(answer)
        items = content["items"]
        return Listed(
            recommendation_id=content["recommendation_id"],
            model_version=content["model_version"],
            items=tuple(each["item_id"] for each in items),
            propensities=tuple(each["propensity"] for each in items),
            variants={each["experiment_id"]: each["variant"] for each in content["experiments"]},
        )

    async def send(self, messages: Sequence[Message], at: datetime) -> None:
        """Send messages at a moment (UTC), and return when they are stored."""
        for first in range(0, len(messages), _BATCH):
            batch = {"batch": messages[first : first + _BATCH], "sentAt": written(at)}
            _good(await self._ask("POST", "/v1/batch", "", batch))

    def sending(self, messages: Sequence[Message], at: datetime) -> asyncio.Task[None]:
        """Begin to send, beside others."""
        with self._clock.at(at):
            return asyncio.create_task(self.send(messages, at))

    async def _ask(self, method: str, path: str, query: str, body: object = None) -> Answer:
        self.requests += 1
        key = self._keys.write if method == "POST" else self._keys.api
        return await self._server.ask(method, path, query, key=key, body=body)


def _good(answer: Answer) -> Any:
    if answer.status != _GOOD:
        raise ServerRefusedError(f"The server answered {answer.status}: {answer.content}")
    return answer.content
