"""What a run of cleaning is asked to do, and what it tells: the same in whichever process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.port import Engine
from feedback_platform.cleaning.micro_batch import PORTION
from feedback_platform.cleaning.processing import CleaningOutcome, clean_new
from feedback_platform.cleaning.quarantine import QuarantineFilter
from feedback_platform.cleaning.replay import ReplayOutcome, replay_quarantine
from feedback_platform.cleaning.reprocessing import reprocess_days
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.store import Lake

# The assets that are made, as Dagster's UI spells them.
CLEAN: Final = "clean/events"
QUARANTINED: Final = "quarantine/events"
REPROCESSED: Final = "reprocessed/events"

Metadata = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CleaningTask:
    """What to clean; the default is what is new in the newest hours.

    Attributes:
        is_sweep: look for what is new in all of the lake.
        is_portion: of a backlog take no more than a portion.
        replayed: take these quarantined rows again instead, or None.
        day: clean again instead what was received on this UTC day, or None.
    """

    is_sweep: bool = False
    is_portion: bool = False
    replayed: QuarantineFilter | None = None
    day: date | None = None

    def written(self) -> dict[str, Any]:
        """Return values that JSON knows, for another process."""
        chosen = self.replayed
        return {
            "is_sweep": self.is_sweep,
            "is_portion": self.is_portion,
            "replayed": None
            if chosen is None
            else asdict(chosen) | {"first": _text(chosen.first), "last": _text(chosen.last)},
            "day": _text(self.day),
        }

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> CleaningTask:
        """Return the task that another process wrote."""
        chosen = written["replayed"]
        return cls(
            is_sweep=written["is_sweep"],
            is_portion=written["is_portion"],
            replayed=None
            if chosen is None
            else QuarantineFilter(
                **chosen | {"first": _day(chosen["first"]), "last": _day(chosen["last"])}
            ),
            day=_day(written["day"]),
        )


def carry_out(
    task: CleaningTask,
    lake: Lake,
    rules: CleaningRules,
    *,
    mapping: EventMapping,
    engine: Engine[Any, Any],
    log: logging.Logger,
    progress: Progress | None = None,
) -> dict[str, Metadata]:
    """Do what a task asks for; return what to tell of each asset that was made.

    Args:
        task: what to clean.
        lake: the object store.
        rules: the cleaning rules.
        mapping: what the names of events in received lines mean.
        engine: what runs the rules.
        log: told in a line or two what was done.
        progress: called with objects done and objects in all; a day is cleaned without.

    Raises:
        BatchConflictError: another process cleaned one of the objects meanwhile.
        PermanentError: a person has to act.
    """
    if task.day is not None:
        days = reprocess_days(
            lake, rules, first=task.day, last=task.day, mapping=mapping, engine=engine
        )
        outcome = CleaningOutcome(tuple(m for day in days for m in day.outcome.manifests))
        log.info(
            "%s: %d lines cleaned again, in %d batches",
            *(task.day, outcome.rows, len(outcome.manifests)),
        )
        return {REPROCESSED: _of_clean(outcome) | {"quarantined": outcome.quarantined}}
    if task.replayed is not None:
        replayed = replay_quarantine(
            lake, rules, task.replayed, mapping=mapping, engine=engine, progress=progress
        )
        _tell(log, replayed)
        outcome = replayed.cleaning
    else:
        outcome = clean_new(
            lake,
            rules,
            is_sweep=task.is_sweep,
            mapping=mapping,
            engine=engine,
            portion=PORTION if task.is_portion else None,
            progress=progress,
        )
    log.info(
        "%d raw objects, %d lines; %d objects remain",
        *(outcome.objects, outcome.rows, outcome.remaining),
    )
    share = outcome.quarantined / outcome.rows if outcome.rows else 0.0
    beside = {
        "raw objects left to the next run": outcome.remaining,
        "duplicates": outcome.duplicates,
        "erased": outcome.erased,
    }
    return {
        CLEAN: _of_clean(outcome) | beside,
        QUARANTINED: {"quarantined": outcome.quarantined, "share of lines": share},
    }


def _of_clean(outcome: CleaningOutcome) -> Metadata:
    manifests = outcome.manifests
    return {
        "raw objects": outcome.objects,
        "lines": outcome.rows,
        "clean": outcome.clean,
        "reference": manifests[-1].reference_version if manifests else "none",
        "batches": [manifest.sequence for manifest in manifests],
    }


def _tell(log: logging.Logger, outcome: ReplayOutcome) -> None:
    log.info(
        "%d lines replayed = %d now clean + %d still quarantined + %d duplicates + %d unreadable",
        *(outcome.replayed, outcome.now_clean, outcome.still_quarantined),
        *(outcome.duplicates, outcome.unreadable),
    )
    for key, reason in outcome.unreadable_objects.items():
        log.warning("What was made of %s stays as it is: %s", key, reason)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
