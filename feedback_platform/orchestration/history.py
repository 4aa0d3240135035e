"""What Dagster remembers of runs, and letting go of what is old."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

import dagster as dg

from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.settings import Settings

BATCH: Final = 100
_FINISHED: Final = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
# Sensors know by these runs which drift and which adjustment was answered; there are few of them.
_REMEMBERED: Final = {jobs.TRAIN, jobs.PUBLISH_MODELS}
# Which days were cleaned again is known by these runs.
_PARTITION_TAGS: Final = {"dagster/partition", "dagster/asset_partition_range_start"}


def purge_runs(
    settings: Settings, ended_before: datetime, report: Callable[[int], None] = lambda _: None
) -> int:
    """Delete finished runs with their events, and what their steps printed on this machine.

    Kept are the newest run of each job, also of those that succeeded, and the runs by which
    sensors and days know what was done. It may be interrupted and repeated, beside other runs.

    Args:
        settings: of the installation whose history it is.
        ended_before: runs that ended later stay.
        report: told after each batch how many runs are deleted so far.

    Returns:
        How many runs were deleted.
    """
    prepare_home(settings)
    deleted = 0
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        kept = _newest(instance)
        for batch in _batches(instance, ended_before):
            for run in batch:
                if run.run_id in kept or _is_remembered(run):
                    continue
                instance.delete_run(run.run_id)
                _delete_files(settings, run.run_id)
                deleted += 1
            report(deleted)
    return deleted


def _batches(
    instance: dg.DagsterInstance, ended_before: datetime
) -> Iterator[Sequence[dg.DagsterRun]]:
    """Yield the finished runs, the oldest first, so that no history has to fit into memory."""
    filters = dg.RunsFilter(statuses=_FINISHED, updated_before=ended_before)

    def after(cursor: str | None) -> Sequence[dg.DagsterRun]:
        records = instance.get_run_records(filters, limit=BATCH, cursor=cursor, ascending=True)
        return [record.dagster_run for record in records]

    batch = after(None)
    while batch:
        # A run that is deleted is no cursor any more, so the next batch is looked up first.
        following = after(batch[-1].run_id)
        yield batch
        batch = following


def _newest(instance: dg.DagsterInstance) -> set[str]:
    """Return the newest run of each job and its newest success: patience and tables refer to it."""
    found: set[str] = set()
    for name in jobs.NAMES:
        for statuses in ([], [dg.DagsterRunStatus.SUCCESS]):
            filters = dg.RunsFilter(job_name=name, statuses=statuses)
            found.update(run.run_id for run in instance.get_runs(filters=filters, limit=1))
    return found


def _is_remembered(run: dg.DagsterRun) -> bool:
    return run.job_name in _REMEMBERED or not _PARTITION_TAGS.isdisjoint(run.tags)


def _delete_files(settings: Settings, run_id: str) -> None:
    """Delete what SQLite leaves of a run, an empty database, and what its steps printed."""
    for path in (settings.dagster_home / "history" / "runs").glob(f"{run_id}.db*"):
        path.unlink(missing_ok=True)
    for kind in ("storage", "compute_logs"):
        shutil.rmtree(settings.dagster_home / kind / run_id, ignore_errors=True)
