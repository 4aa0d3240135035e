"""Looking at all experiments after a batch, and ending those that are decided.

An experiment ends by itself at its horizon, and read at any time as soon as a variant is surely
better and safe, or surely does harm. Then nobody is assigned any more. What was better is given to
everybody only where the definition says so; otherwise it waits for a person. Arms that are not as
large as the split says end nothing: they are told, and somebody has to find out why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.errors import TransientError
from feedback_platform.experiments.decision import Verdict
from feedback_platform.experiments.definition import OnShip
from feedback_platform.experiments.entries import Shipped, Started, Stopped
from feedback_platform.experiments.looks import Look, keep_looks, read_all_looks, with_look
from feedback_platform.experiments.reading import is_due, look_at
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.experiments.shipping import LONGEST_REASON, Shipper, author_of
from feedback_platform.experiments.tables import Tables
from feedback_platform.lake.numbered_log import Store

_ENDING = frozenset({Verdict.SHIP.value, Verdict.STOP.value})


class Looker:
    """Looks at experiments, and writes down what follows; one at a time in an installation.

    Args:
        store: where log and looks are kept.
        shipper: gives everybody what was better, where the definition says so.
        clock: returns now (UTC).
    """

    def __init__(self, store: Store, shipper: Shipper, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._shipper = shipper
        self._clock = clock
        self._log = ExperimentLog(store)
        self.experiments = self._log.refresh()
        self.looks = read_all_looks(store, self.experiments.started)
        self.problems: list[str] = []

    @property
    def waiting(self) -> list[str]:
        """The experiments of which more may be found."""
        return [key for key, known in self.looks.items() if not (known and known[-1].is_final)]

    def look(self, tables: Tables, newest: datetime, batch: int) -> list[str]:
        """Look at each experiment for which it is time, and return their keys.

        What is found ends none yet: see `conclude`.

        Args:
            tables: of the layers.
            newest: when the newest event happened that is known (UTC).
            batch: the newest batch of events that is known.
        """
        looked = []
        for key in self.waiting:
            started, stopped = self.experiments.started[key], self.experiments.stopped.get(key)
            known = self.looks[key]
            if not is_due(started, stopped, known[-1] if known else None, newest):
                continue
            self._keep(key, with_look(known, look_at(tables, started, stopped, newest, batch)))
            looked.append(key)
        return looked

    def conclude(self) -> list[str]:
        """End what is decided, and ship what is to be shipped by itself; return what was done."""
        done = []
        for key, started in self.experiments.started.items():
            if not self.looks[key]:
                continue
            look = self.looks[key][-1]
            if key in self.experiments.running:
                done += self._end(started, look)
            elif key not in self.experiments.shipments:
                done += self._catch_up(started, self.experiments.stopped[key], look)
        self.experiments = self._log.refresh()
        return done

    def _keep(self, key: str, looks: tuple[Look, ...]) -> None:
        keep_looks(self._store, key, looks)
        self.looks[key] = looks

    def _end(self, started: Started, look: Look) -> list[str]:
        key = started.key
        if not (look.is_final or look.verdict in _ENDING):
            return []
        shipped = self._shipped(started, look)
        if shipped is None:
            return []
        at = min(look.read_at, started.ends_at)
        entry = Stopped(key, look.verdict, self._author(key, look), at, shipped)
        self._log.append(lambda now: entry if key in now.running else None)
        # The decision rests on what was known then: nothing that comes later changes it.
        self._keep(key, (*self.looks[key][:-1], replace(look, is_final=True)))
        return [f"{key} ended: {look.verdict}, {shipped or 'nothing'} shipped"]

    def _catch_up(self, started: Started, stopped: Stopped, look: Look) -> list[str]:
        """Ship what could not be shipped when the experiment ended by itself."""
        key = started.key
        is_own = stopped.author.by == author_of(key) and stopped.decision == Verdict.SHIP.value
        shipped = self._shipped(started, look) if is_own else ""
        if not shipped:
            return []
        entry = Shipped(key, shipped, self._author(key, look))
        self._log.append(lambda now: None if key in now.shipments else entry)
        return [f"{key}: {shipped} shipped"]

    def _shipped(self, started: Started, look: Look) -> str | None:
        """Give everybody the winner if that is wanted; None where it is to be tried again."""
        if not look.winner or started.experiment.on_ship is not OnShip.APPLY:
            return ""
        try:
            self._shipper.ship(started.experiment, look.winner, look.reason)
        except CannotChangeError as error:
            self.problems.append(f"{started.key} ships nothing: {error}")
            return ""
        except TransientError as error:
            self.problems.append(f"{started.key} is not over yet: {error}")
            return None
        return look.winner

    def _author(self, key: str, look: Look) -> Author:
        return Author(author_of(key), look.reason[:LONGEST_REASON], self._clock())
