"""Who was really given a variant: an `experiment_exposed` event, once a day for each user.

To be assigned is not to be exposed. A user who is shown the variant's list, or whose flag was asked
for by name, counts from then on; one who never came to where the variants differ does not. Whatever
the variant is, control included, the same makes the event, or the arms would not be alike.

Its id is made of the experiment, the variant, the user and the day. However many
processes tell it, it counts once, and this one tells it again when it was lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from hashlib import blake2b
from typing import Final

from feedback_platform.events import columns as c
from feedback_platform.experiments.running import Assignment
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.serving.experiment_tally import ExperimentTally
from feedback_platform.serving.own_events import OwnEvents

SOURCE: Final = "experiments"
# Some ten megabytes; of more users in a day those that come back are told again, and count once.
MOST_REMEMBERED: Final = 100_000
_DIGEST_BYTES: Final = 16
_EVENT: Final = "experiment_exposed"
_BETWEEN: Final = "\0"


class Exposures:
    """Tells of users who are given a variant, and remembers of whom it was told today.

    What is remembered are digests: nobody is named in it.

    Attributes:
        tally: how often it was told, by experiment and variant.
    """

    def __init__(self, station: Station, *, most_remembered: int = MOST_REMEMBERED) -> None:
        self._station = station
        self._events = OwnEvents(station, source=SOURCE, what="Exposures to experiments")
        self._most = most_remembered
        # In the order in which they were told.
        self._told: dict[bytes, None] = {}
        self._day: date | None = None
        self.tally = ExperimentTally()

    @property
    def lost(self) -> int:
        """How many the store did not take."""
        return self._events.lost

    def note(self, user_id: str, assignment: Assignment) -> None:
        """Note that a user is given a variant now. It returns at once, and never fails.

        Args:
            user_id: as the layers have it, `anonymous:DEVICE` for a device of nobody known.
            assignment: what is given, and by which experiment.
        """
        now = self._station.now()
        day = now[0].date()
        if day != self._day:
            self._told, self._day = {}, day
        digest = exposure_digest(user_id, assignment, day)
        if digest in self._told:
            return
        if len(self._told) >= self._most:
            del self._told[next(iter(self._told))]
        self._told[digest] = None
        self.tally.note(assignment)
        message = {
            "type": "track",
            "event": _EVENT,
            "messageId": f"exposure-{digest.hex()}",
            "properties": {
                c.EXPERIMENT_ID: assignment.experiment_id,
                c.VARIANT: assignment.variant,
                assignment.lever.value: assignment.subject,
            },
        }
        self._events.say(message, user_id, now, self._forgets(digest))

    def _forgets(self, digest: bytes) -> Callable[[], None]:
        def forget() -> None:
            # Whoever is given it again is told of again.
            self._told.pop(digest, None)

        return forget


def exposure_digest(user_id: str, assignment: Assignment, day: date) -> bytes:
    """Return what an exposure's id is made of: the same for the same, in every process."""
    parts = (assignment.experiment_id, assignment.variant, day.isoformat(), user_id)
    return blake2b(_BETWEEN.join(parts).encode(), digest_size=_DIGEST_BYTES).digest()
