"""Taking users out of the lake, in an order in which a crash leaves nothing half done.

1. The devices that are theirs are found and remembered in the request.
2. Tombstones: from now on cleaning takes nothing of them.
3. A batch in the ledger marks the instant: who began to clean before it cannot commit behind it.
4. Raw, clean and quarantined rows, what was said of preferences, models and lists lose them. All of
   this may be done again.
5. The mark of the warehouse: whoever opens it next builds it anew from the clean layer.

The request stays pending until the proof is made (`proof`). Who runs it again until then looks for
what has come back, and only if there was any is there another mark, and the warehouse built again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import latest_manifest, manifests_after, mark_erasure
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import (
    add_tombstones,
    erased_requests,
    erased_through,
    load_tombstones,
    record_erased_through,
)
from feedback_platform.privacy.clean_rows import (
    correct_manifests,
    erase_clean_rows,
    erase_quarantined_rows,
)
from feedback_platform.privacy.identities import resolved
from feedback_platform.privacy.layers import LayerErasure, Stopwatch, note_progress
from feedback_platform.privacy.learned_models import erase_from_models
from feedback_platform.privacy.preferences_log import erase_preferences
from feedback_platform.privacy.raw_lines import erase_raw_lines
from feedback_platform.privacy.requests import ErasureRequest, pending_requests, stuck_requests

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LakeErasure:
    """What was done to the lake.

    Attributes:
        requests: those that were carried out, with all that is theirs.
        through: the batch that marks the erasure.
    """

    requests: list[ErasureRequest]
    through: int


def erase_from_lake(
    lake: Lake,
    mapping: EventMapping,
    *,
    requests: Sequence[ErasureRequest] | None = None,
    progress: Progress | None = None,
) -> LakeErasure | None:
    """Carry out pending requests as far as the lake goes; None where there are none.

    Everything that has landed should be clean, so that all devices of the users are known.

    Args:
        lake: the object store.
        mapping: what the names of events in received lines mean.
        requests: those that were pending before what had landed was cleaned; None for all.
        progress: called with raw objects done and raw objects in all.
    """
    watch = Stopwatch()
    gone_through = erased_requests(lake)
    asked = pending_requests(lake) if requests is None else requests
    fresh = [request for request in asked if request.request_id not in gone_through]
    done = [request for request in asked if request.request_id in gone_through]
    if not asked:
        return None
    # Of those that went through, what told whose their devices are is gone.
    fresh = resolved(lake, fresh)
    for request in fresh:
        add_tombstones(lake, request.request_id, request.identities, request.requested_at)
    through = mark_erasure(lake) if fresh else erased_through(lake)
    note_progress(lake, LayerErasure("identities", len(asked), 0, None, watch.lap()))
    removed = _erase_rows(lake, mapping, before=_behind(lake), progress=progress)
    removed += erase_models(lake, [*fresh, *done], through)
    if not fresh:
        stuck = stuck_requests(lake)
        if not removed and not (stuck.in_tables and stuck.request_ids & gone_through):
            return LakeErasure(done, through)
        # Something had come back, and what was built meanwhile may have it, or has it.
        through = mark_erasure(lake)
    pending = gone_through & {request.request_id for request in pending_requests(lake)}
    record_erased_through(lake, through, pending | {request.request_id for request in fresh})
    if fresh:
        _record_swept(lake, through)
    return LakeErasure([*fresh, *done], through)


def _erase_rows(
    lake: Lake, mapping: EventMapping, *, before: int, progress: Progress | None
) -> int:
    """Take who was ever erased out of raw, clean and quarantined rows; return how many left.

    Rows of raw do not count: nothing is built from them that was not cleaned. Neither does what
    users said of their preferences, which the tables have from the events that say it.
    """
    watch = Stopwatch()
    tombstones = load_tombstones(lake)
    note_progress(lake, erase_preferences(lake, tombstones))
    watch.lap()
    raw = erase_raw_lines(lake, list_raw_objects(lake), tombstones, mapping, progress=progress)
    note_progress(lake, LayerErasure("raw", raw.looked_at, raw.rewritten, raw.removed, watch.lap()))
    clean = erase_clean_rows(lake, tombstones, raw.lines)
    took = watch.lap()
    put_aside = erase_quarantined_rows(lake, tombstones, raw.lines)
    correct_manifests(lake, raw.lines, clean, put_aside, before=before)
    note_progress(
        lake,
        LayerErasure("clean", clean.looked_at, clean.rewritten, clean.removed, took),
        LayerErasure(
            "quarantine",
            put_aside.looked_at,
            put_aside.rewritten,
            put_aside.removed,
            watch.lap(),
        ),
    )
    return clean.removed + put_aside.removed


def _behind(lake: Lake) -> int:
    """Return the number of the next batch: those before it are committed, and can be listed."""
    latest = latest_manifest(lake)
    return latest.sequence + 1 if latest else 1


def erase_models(lake: Lake, requests: list[ErasureRequest], through: int) -> int:
    """Take the users of requests out of what was learned before a batch; return how many rows."""
    watch = Stopwatch()
    users = frozenset().union(*(request.layer_users for request in requests))
    models = erase_from_models(lake, users, before=through)
    counts = (models.looked_at, models.rewritten, models.removed)
    note_progress(lake, LayerErasure("models", *counts, watch.lap()))
    return models.removed


def sweep_late_arrivals(lake: Lake, mapping: EventMapping) -> LayerErasure:
    """Take out of raw what erased users left there since: cleaning took none of it, but raw has it.

    The cost follows the batches since the last sweep in which there was any.
    """
    watch = Stopwatch()
    stored = lake.find(keys.ERASURE_SWEEP)
    swept = int(json.loads(stored)["sequence"]) if stored else 0
    latest = latest_manifest(lake)
    newest = latest.sequence if latest else 0
    arrived = {
        key
        for manifest in manifests_after(lake, min(swept, newest))
        for key, count in manifest.erased_by_object.items()
        if count
    }
    raw = erase_raw_lines(lake, sorted(arrived), load_tombstones(lake), mapping)
    if newest > swept:
        _record_swept(lake, newest)
    return LayerErasure("raw", raw.looked_at, raw.rewritten, raw.removed, watch.lap())


def _record_swept(lake: Lake, sequence: int) -> None:
    content = json.dumps({"sequence": sequence}).encode()
    lake.put(keys.ERASURE_SWEEP, content, mode="overwrite")
