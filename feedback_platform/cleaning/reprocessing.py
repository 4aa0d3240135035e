"""Cleaning a past period again from raw, day by day, beside what is live.

Each day is committed by itself, so a backfill that is stopped keeps the days that it finished, and
each next micro-batch takes in those that are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import Engine
from feedback_platform.cleaning.kept_rules import keep_rules
from feedback_platform.cleaning.micro_batch import clean_pending
from feedback_platform.cleaning.processing import CleaningOutcome
from feedback_platform.cleaning.reference import BEGINNING, load_references
from feedback_platform.errors import InvalidInputError
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, Ledger, manifests_after
from feedback_platform.lake.raw import list_raw_days
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class ReprocessedDay:
    """One day of a period that was cleaned again.

    Attributes:
        day: on which its raw objects were received (UTC).
        outcome: what was made of those that had been clean before.
        done: raw objects of the period passed so far, this day's included.
        objects: raw objects of the period.
    """

    day: date
    outcome: CleaningOutcome
    done: int
    objects: int


def reprocess(
    lake: Lake,
    rules: CleaningRules,
    *,
    first: date,
    last: date,
    mapping: EventMapping = DEFAULT_MAPPING,
    engine: Engine[Any, Any] = POLARS,
) -> CleaningOutcome:
    """Clean a period again; see `reprocess_days`.

    Raises:
        InvalidInputError: the days are the wrong way round, or nothing received on them is clean.
        BatchConflictError: another process cleaned one of the objects meanwhile.
    """
    days = reprocess_days(lake, rules, first=first, last=last, mapping=mapping, engine=engine)
    outcome = CleaningOutcome(tuple(m for day in days for m in day.outcome.manifests))
    if not outcome.manifests:
        raise InvalidInputError(f"Nothing that was received from {first} to {last} is clean yet.")
    return outcome


def reprocess_days(
    lake: Lake,
    rules: CleaningRules,
    *,
    first: date,
    last: date,
    mapping: EventMapping = DEFAULT_MAPPING,
    engine: Engine[Any, Any] = POLARS,
) -> Iterator[ReprocessedDay]:
    """Clean again what was received on some days, with these rules and the newest statistics.

    The new rows replace what earlier batches made of the same raw objects. What has never been
    cleaned is left to the next micro-batch.

    Args:
        lake: the object store.
        rules: the cleaning rules.
        first: the first UTC day.
        last: the last UTC day, included.
        mapping: what the names of events in received lines mean.
        engine: what runs the rules.

    Yields:
        Each day on which something was received, when it is committed.

    Raises:
        InvalidInputError: the days are the wrong way round.
        BatchConflictError: another process cleaned one of the objects meanwhile.
    """
    if last < first:
        raise InvalidInputError(f"The period from {first} to {last} ends before it begins.")
    listed = sorted(list_raw_days(lake, first=first, last=last), key=keys.day_of)
    newest: BatchManifest | None = None
    cleaned: set[str] = set()
    done = 0
    references = load_references(lake)[-1:]
    # One version for the period, whenever its parts were received.
    references = [replace(reference, effective_from=BEGINNING) for reference in references]
    if listed:
        keep_rules(lake, rules)
    for day, received in groupby(listed, key=keys.day_of):
        objects = sorted(received)
        # What others committed during the days before is known before this one's are chosen.
        for manifest in manifests_after(lake, newest.sequence if newest else 0):
            newest = manifest
            cleaned.update(manifest.raw_objects)
        manifests = clean_pending(
            lake,
            [key for key in objects if key in cleaned],
            rules,
            references,
            ledger=Ledger(lake, newest),
            mapping=mapping,
            engine=engine,
            is_reprocessing=True,
        )
        done += len(objects)
        yield ReprocessedDay(day, CleaningOutcome(tuple(manifests)), done, len(listed))
