"""What a run of cleaning does: find what is new and clean it; fit what the rules apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import Engine
from feedback_platform.cleaning.erased_events import typed_erased
from feedback_platform.cleaning.fetching import fetch_object
from feedback_platform.cleaning.kept_rules import keep_rules
from feedback_platform.cleaning.micro_batch import Portion, clean_pending
from feedback_platform.cleaning.reading import parse_objects
from feedback_platform.cleaning.reference import (
    BEGINNING,
    Reference,
    fit_reference,
    load_references,
    save_reference,
)
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.errors import InvalidInputError
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, Ledger, latest_manifest, pending_objects
from feedback_platform.lake.raw import announce_backfill, list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import load_tombstones

# Raw bytes that a fit looks at, at most: the newest objects first. Statistics do not get better
# with more, and memory stays bounded.
FIT_BYTES: Final = 192 << 20
FIT_WINDOW: Final = timedelta(days=28)
_UNFINISHED_SWEEP: Final = "unfinished-sweep"


@dataclass(frozen=True)
class CleaningOutcome:
    """What one run of cleaning did; rows = clean + quarantined + duplicates + erased.

    Attributes:
        manifests: of its batches.
        remaining: raw objects that it left to runs to come.
    """

    manifests: tuple[BatchManifest, ...]
    remaining: int = 0

    @property
    def objects(self) -> int:
        """Raw objects cleaned."""
        return sum(len(manifest.raw_objects) for manifest in self.manifests)

    @property
    def rows(self) -> int:
        """Events and refused lines read."""
        return sum(manifest.rows for manifest in self.manifests)

    @property
    def clean(self) -> int:
        """Clean rows written."""
        return sum(manifest.clean for manifest in self.manifests)

    @property
    def quarantined(self) -> int:
        """Lines put aside."""
        return sum(manifest.quarantined for manifest in self.manifests)

    @property
    def duplicates(self) -> int:
        """Rows left out because their raw object holds the event already."""
        return sum(manifest.duplicates for manifest in self.manifests)

    @property
    def erased(self) -> int:
        """Rows left out because they are of users who were erased."""
        return sum(manifest.erased for manifest in self.manifests)


def clean_new(
    lake: Lake,
    rules: CleaningRules,
    *,
    is_sweep: bool,
    mapping: EventMapping = DEFAULT_MAPPING,
    engine: Engine[Any, Any] = POLARS,
    portion: Portion | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CleaningOutcome:
    """Clean the raw objects that no batch has cleaned yet.

    Where no reference statistics exist yet, the first version is fitted on what has landed.

    Args:
        lake: the object store.
        rules: the cleaning rules.
        is_sweep: look at everything ever received, not only at the newest hours.
        mapping: what the names of events in received lines mean.
        engine: what runs the rules.
        portion: clean no more than this; the next call goes on behind it, whether it sweeps or
            not.
        progress: called with objects done and objects in all.

    Raises:
        BatchConflictError: another process cleaned one of the objects meanwhile.
    """
    ledger = Ledger.opened(lake)
    backfills = lake.list_keys(keys.BACKFILLS)
    is_sweep = is_sweep or bool(backfills)
    pending = pending_objects(lake, is_sweep=is_sweep)
    if is_sweep and pending and not backfills:
        # What a portion leaves, or a process that dies, may lie where the next listing of new
        # hours would not look.
        backfills = [announce_backfill(lake, _UNFINISHED_SWEEP)]
    outcome = _clean_objects(lake, ledger, pending, rules, mapping, engine, portion, progress)
    if outcome.remaining == 0:
        # Announced before the listing, so whatever they announced has been found.
        lake.delete(backfills)
    return outcome


def _clean_objects(
    lake: Lake,
    ledger: Ledger,
    pending: list[str],
    rules: CleaningRules,
    mapping: EventMapping,
    engine: Engine[Any, Any],
    portion: Portion | None,
    progress: Callable[[int, int], None] | None,
) -> CleaningOutcome:
    if not pending:
        return CleaningOutcome(())
    keep_rules(lake, rules)
    references = load_references(lake)
    if not references:
        references = [_fit(lake, pending, rules, mapping, effective_from=BEGINNING)]
    manifests = clean_pending(
        lake,
        pending,
        rules,
        references,
        ledger=ledger,
        mapping=mapping,
        engine=engine,
        portion=portion,
        progress=progress,
    )
    cleaned = sum(len(manifest.raw_objects) for manifest in manifests)
    return CleaningOutcome(tuple(manifests), remaining=len(pending) - cleaned)


def refit_reference(
    lake: Lake,
    rules: CleaningRules,
    *,
    now: datetime,
    mapping: EventMapping = DEFAULT_MAPPING,
) -> Reference:
    """Fit a new version on the newest weeks; it takes effect for what is received from now on.

    Args:
        lake: the object store.
        rules: the cleaning rules.
        now: UTC; the version takes effect at the next full hour, or after the newest cleaned hour
            or the newest version when that is later, so that no hour has two versions.
        mapping: what the names of events in received lines mean.

    Raises:
        InvalidInputError: nothing has been received.
    """
    latest = latest_manifest(lake)
    hours = [now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)]
    if latest is not None:
        hours.append(datetime.fromisoformat(latest.newest_hour))
    newest = list_raw_objects(lake, since=min(hours) - FIT_WINDOW)
    if not newest:
        raise InvalidInputError("Nothing has been received in the last 28 days; nothing to fit on.")
    # An hour belongs to one version: a second fit within the hour takes effect an hour later.
    hours += [reference.effective_from for reference in load_references(lake)]
    return _fit(lake, newest, rules, mapping, effective_from=max(hours) + timedelta(hours=1))


def _fit(
    lake: Lake,
    objects: list[str],
    rules: CleaningRules,
    mapping: EventMapping,
    *,
    effective_from: datetime,
) -> Reference:
    received = typed_events(list(_newest_texts(lake, objects, mapping)))
    events = received.filter(~typed_erased(received, load_tombstones(lake)))
    distinct = events.unique(c.EVENT_ID, keep="first", maintain_order=True)
    reference = fit_reference(distinct, rules, effective_from=effective_from)
    save_reference(lake, reference)
    return reference


def _newest_texts(lake: Lake, objects: list[str], mapping: EventMapping) -> Iterator[pl.DataFrame]:
    read_bytes = 0
    for key in reversed(objects):
        lines = fetch_object(lake, key, mapping, is_listed=True).canonical()
        read_bytes += lines.size
        yield parse_objects([lines])[0].texts
        if read_bytes > FIT_BYTES:
            return
