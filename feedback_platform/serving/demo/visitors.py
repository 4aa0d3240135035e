"""Who may be played on the demo page: users whom the simulation made up, and somebody new."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake import keys
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.lake.store import Lake
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform.serving.user_tokens import sign_token

# Nobody guesses one: who has it was given it by this page.
_NEW: Final = re.compile(r"demo-[0-9a-f]{32}")
_SIMULATED: Final = re.compile(r"user-([0-9]{6})")
# Among so many of the simulation's users one of each segment is looked for.
_LOOKED_AT: Final = 500
# The page asks for another when this is over.
_TOKEN_LASTS: Final = timedelta(minutes=30)


class Example(NamedTuple):
    """A user of the simulation, and the name of the segment that they stand for."""

    user_id: str
    segment: str | None


class DemoVisitors:
    """Tells the users that were made up from those of an installation, whom nobody may play.

    Args:
        lake: which remembers whether the simulation was loaded, and how many users it has.
        users: the published ones.
        token_secrets: what users' tokens are signed with; none where nobody needs one.
    """

    def __init__(self, lake: Lake, users: PublishedUsers, token_secrets: Sequence[str]) -> None:
        self._lake = lake
        self._users = users
        self._secrets = token_secrets
        self._thread = DaemonThreads("demo")

    def new(self) -> str:
        """Return the id of somebody whom nobody knows."""
        return f"demo-{secrets.token_hex(16)}"

    async def may_be_played(self, user_id: str) -> bool:
        """Return whether a user was made up, by this page or by the simulation of this lake."""
        if _NEW.fullmatch(user_id):
            return True
        found = _SIMULATED.fullmatch(user_id)
        return found is not None and 1 <= int(found[1]) <= await self._simulated()

    def token(self, user_id: str) -> str | None:
        """Return what opens a user's own endpoints for a while; None where they are open."""
        if not self._secrets:
            return None
        now = datetime.now(UTC)
        return sign_token(user_id, self._secrets[0], now=now, valid_for=_TOKEN_LASTS)

    async def examples(self) -> list[Example]:
        """Return a user of the simulation for each segment, in the order of the segments."""
        current = self._users.current
        if current is None or not current.segments:
            return []
        simulated = await self._simulated()
        found: dict[int, Example] = {}
        for number in range(1, min(simulated, _LOOKED_AT) + 1):
            user_id = f"user-{number:06}"
            segment = current.segments.get(user_id)
            if segment is not None and self._users.preferences_of(user_id).is_personalised:
                found.setdefault(segment.segment_id, Example(user_id, segment.name))
        return [found[number] for number in sorted(found)]

    async def _simulated(self) -> int:
        """Return how many users the simulation has that this lake holds; 0 without one."""
        return await self._thread.run(self._read_simulated)

    def _read_simulated(self) -> int:
        try:
            content = self._lake.find(keys.demo_simulation())
        except FeedbackPlatformError:
            return 0
        return 0 if content is None else int(json.loads(content)["users"])
