"""Erasure: first the lake loses the users, then the layers are built anew, then it is proved.

Neither a configuration nor a log nor any metadata here names a user: who is meant stands in the
lake alone, until it is done.
"""

import dagster as dg

from feedback_platform.cleaning.processing import clean_new
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.privacy.erasing import erase_from_lake, sweep_late_arrivals
from feedback_platform.privacy.layers import read_progress
from feedback_platform.privacy.proving import prove_erasures
from feedback_platform.privacy.requests import pending_requests


@dg.asset(
    key=keys.ERASURES,
    deps=[keys.RAW_EVENTS],
    group_name=keys.ERASE,
    owners=keys.OWNERS,
    kinds={"python"},
    # Nothing is trained meanwhile, nor erased by another run.
    pool=keys.TRAINING_POOL,
    retry_policy=RETRIES,
    description=(
        "Users who asked for it leave raw, clean and quarantined events and every model; "
        "tombstones keep them from coming back. What they sent late is swept out of raw."
    ),
)
def erasures(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult:
    """Carry out the pending requests, as far as the lake goes."""
    lake, mapping = platform.lake(), platform.mapping()
    with reported_failures():
        # One that is filed meanwhile waits: what tells of its devices may not be clean yet.
        requests = pending_requests(lake)
        if requests:
            # Only what is clean tells which devices are theirs.
            engine = platform.cleaning_engine()
            clean_new(lake, platform.rules(), is_sweep=True, mapping=mapping, engine=engine)
        erased = erase_from_lake(lake, mapping, requests=requests)
        swept = sweep_late_arrivals(lake, mapping)
    if erased is not None:
        context.log.info(f"{len(erased.requests)} requests, marked by batch {erased.through}")
    return dg.MaterializeResult(
        metadata={
            "requests": len(erased.requests) if erased else 0,
            "late lines swept": swept.removed or 0,
            **{f"removed from {layer.layer}": layer.removed or 0 for layer in read_progress(lake)},
        }
    )


@dg.asset(
    key=keys.ERASURE_REPORTS,
    deps=[keys.ERASURES, keys.PUBLISHED],
    group_name=keys.ERASE,
    owners=keys.OWNERS,
    kinds={"python"},
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    description=(
        "The proof: everything that the lake and the data directory hold is read, and no id of an "
        "erased user is in it. Then the request is deleted, and a report without ids is kept."
    ),
)
def erasure_reports(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> dg.MaterializeResult:
    """Delete the last of the old state, look for traces, and close the requests."""
    with reported_failures():
        report = prove_erasures(
            platform.lake(),
            platform.settings,
            platform.mapping(),
            clock=platform.now,
        )
    if report is None:
        return dg.MaterializeResult(metadata={"requests": 0})
    context.log.info(f"{report.users} users and {report.devices} devices erased, no trace found")
    return dg.MaterializeResult(
        metadata={
            "requests": len(report.request_ids),
            "users": report.users,
            "devices": report.devices,
            "objects read": sum(layer.objects for layer in report.scanned),
            "bytes read": sum(layer.bytes for layer in report.scanned),
        }
    )
