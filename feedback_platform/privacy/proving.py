"""The second half of an erasure: what is left of the old state goes, and everything is looked at.

It comes after the warehouse was built and published anew. Only then is a request done.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import (
    erased_requests,
    erased_through,
    load_tombstones,
    merge_tombstones,
)
from feedback_platform.privacy.erasing import erase_models, sweep_late_arrivals
from feedback_platform.privacy.layers import (
    LayerErasure,
    forget_progress,
    note_progress,
    read_progress,
)
from feedback_platform.privacy.others import Others, looked_at_beside_others
from feedback_platform.privacy.proof import Scan, TracesLeftError
from feedback_platform.privacy.reports import ErasureReport, write_reports
from feedback_platform.privacy.requests import (
    ErasureRequest,
    close_request,
    pending_requests,
    record_stuck,
)
from feedback_platform.settings import Settings
from feedback_platform.warehouse.connection import exclusive_warehouse
from feedback_platform.warehouse.erased import check_built_anew, tables_as_text
from feedback_platform.warehouse.publishing import remove_former

# A write that is under way has no file as old as this; one that was cut short leaves it.
_DEBRIS_SECONDS: Final = 600.0

Progress = Callable[[int, int], None]


def prove_erasures(
    lake: Lake,
    settings: Settings,
    mapping: EventMapping,
    *,
    clock: Callable[[], datetime],
    progress: Progress | None = None,
) -> ErasureReport | None:
    """Finish the requests that went through the lake; None where there are none.

    Args:
        lake: the object store.
        settings: where the files of this installation lie.
        mapping: what the names of events in received lines mean.
        clock: tells the time (UTC).
        progress: called with objects of the lake done and all of them.

    Raises:
        NotBuiltAnewError: readers still see a state from before.
        TracesLeftError: an id was found; the requests stay pending.
    """
    gone_through = erased_requests(lake)
    requests = [each for each in pending_requests(lake) if each.request_id in gone_through]
    if not requests:
        return None
    through = erased_through(lake)
    # What was trained meanwhile on what was published before.
    erase_models(lake, requests, through)
    swept = {key for manifest in manifests_after(lake, 0) for key in manifest.raw_objects}
    note_progress(lake, sweep_late_arrivals(lake, mapping))
    erased = {identity.id for request in requests for identity in request.identities}
    others = looked_at_beside_others(lake, erased, load_tombstones(lake))
    scan = Scan(others)
    with exclusive_warehouse(settings.warehouse_path):
        check_built_anew(settings.warehouse_path, settings.published_path, lake)
        _remove_old_files(lake, settings)
        for name, texts in tables_as_text(settings.warehouse_path):
            scan.note_table(name, others.traces.in_frame(texts))
        scan.directory(settings.data_dir, without=lake.directory)
    # What has landed or was cleaned since is not swept yet, and may be of somebody who comes back.
    scan.lake(lake, unswept=set(list_raw_objects(lake)) - swept, progress=progress)
    try:
        scan.check()
    except TracesLeftError:
        # What nobody can do anything about but a person is not tried again and again.
        record_stuck(lake, requests, in_tables=scan.has_tables)
        raise
    report = _report(lake, requests, others, scan, through=through, done_at=clock())
    write_reports(lake, report, requests)
    for request in requests:
        close_request(lake, request.request_id)
    forget_progress(lake)
    merge_tombstones(lake)
    return report


def _remove_old_files(lake: Lake, settings: Settings) -> None:
    """Delete what was made of the old state: published files, copies, Data Docs, debris."""
    former = remove_former(settings.published_path, lake)
    directories = (settings.cache_dir, settings.data_docs_dir)
    files = [path for each in directories for path in each.rglob("*") if path.is_file()]
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
    debris = _debris(lake)
    for path in debris:
        with suppress(FileNotFoundError):
            path.unlink()
    note_progress(
        lake,
        LayerErasure("warehouse", 1, 1, None),
        LayerErasure("published", former, former, None),
        LayerErasure("copies and docs", len(files), len(files), None),
        LayerErasure("unfinished writes", len(debris), len(debris), None),
    )


def _debris(lake: Lake) -> list[Path]:
    """Return the files of writes into a local lake that did not come to their end."""
    if lake.directory is None:
        return []
    oldest = time.time() - _DEBRIS_SECONDS
    staged = [path for path in lake.directory.rglob("*#*") if path.is_file()]
    return [path for path in staged if path.stat().st_mtime < oldest]


def _report(
    lake: Lake,
    requests: list[ErasureRequest],
    others: Others,
    scan: Scan,
    *,
    through: int,
    done_at: datetime,
) -> ErasureReport:
    return ErasureReport(
        request_ids=[request.request_id for request in requests],
        requested_at=max(request.requested_at for request in requests),
        done_at=done_at,
        through=through,
        users=len({user for request in requests for user in request.users}),
        devices=len({device for request in requests for device in request.devices}),
        shared=len(others.shared),
        indistinct=others.traces.indistinct,
        mentions=scan.mentions,
        written=dict(others.written),
        layers=read_progress(lake),
        scanned=scan.layers,
    )
