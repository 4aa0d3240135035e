"""Runs of this machine: executing one in this process, and ending those whose process is gone."""

import socket
from collections.abc import Mapping
from typing import Any, Final

import dagster as dg
import psutil
from dagster._core.events import RunFailureReason

from feedback_platform.errors import PermanentError
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.orchestration.progress import PROGRESS_LOGGER
from feedback_platform.settings import Settings

PROCESS_TAG: Final = "feedback_platform/process"
# Whose process that is: a run that is started again gets the tags of the run before.
_OF_RUN_TAG: Final = "feedback_platform/process_of"
UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_IN_A_PROCESS: Final = UNFINISHED[2:]


class RunFailedError(PermanentError):
    """A run ended in failure; the text is that of the step that failed."""


def execute(
    definitions: dg.Definitions,
    settings: Settings,
    job: str,
    config: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Execute a job in this process; the run and its materialisations are seen in the UI later.

    Raises:
        RunFailedError: a step failed.
        KeyboardInterrupt: Ctrl-C or SIGTERM ended the run, which Dagster takes for a failure.
    """
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        end_dead_runs(instance)
        result = definitions.resolve_job_def(job).execute_in_process(
            run_config={**(config or {}), "loggers": {PROGRESS_LOGGER: {}}},
            instance=instance,
            tags={PROCESS_TAG: process_identity(psutil.Process())},
            raise_on_error=False,
        )
    if was_interrupted(result):
        raise KeyboardInterrupt
    if not result.success:
        raise RunFailedError(failure_of(result))
    return result


def end_dead_runs(instance: dg.DagsterInstance, *, is_server_starting: bool = False) -> None:
    """Mark runs as failed whose process is gone, and free the slots they hold.

    Args:
        instance: where the runs are recorded.
        is_server_starting: no server is running yet, so runs that a server started are gone too.
    """
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_IN_A_PROCESS)):
        process = process_of(run)
        is_dead = is_server_starting if process is None else not is_alive(process)
        if is_dead:
            instance.report_run_failed(run, "The process of this run is gone.")
    free_slots_of_ended_runs(instance)


def fail_run(instance: dg.DagsterInstance, run: dg.DagsterRun, reason: str) -> None:
    """Mark a run as failed, and free the slots it holds."""
    instance.report_run_failed(run, reason)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def free_slots_of_ended_runs(instance: dg.DagsterInstance) -> None:
    """Free the places in pools that are still held by runs that have ended.

    A process that is killed gives none back, and Dagster does not either when it notices. The next
    run would wait for the pool `warehouse` for ever.
    """
    storage = instance.event_log_storage
    holders = list(storage.get_concurrency_run_ids())
    if not holders:
        return
    unfinished = instance.get_runs(filters=dg.RunsFilter(run_ids=holders, statuses=UNFINISHED))
    for run_id in set(holders) - {run.run_id for run in unfinished}:
        storage.free_concurrency_slots_for_run(run_id)


def end_runs_of_dead_servers(settings: Settings) -> None:
    """Mark the runs as failed that a server left behind; call it while no server is running."""
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        end_dead_runs(instance, is_server_starting=True)


def selected_tables(definitions: dg.Definitions, job: str) -> int:
    """Return how many tables a job materialises."""
    return len(definitions.resolve_job_def(job).asset_layer.selected_asset_keys)


def note_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Have a run say that it is in this process, unless it does so already."""
    if run.tags.get(_OF_RUN_TAG) != run.run_id:
        identity = process_identity(psutil.Process())
        instance.add_run_tags(run.run_id, {PROCESS_TAG: identity, _OF_RUN_TAG: run.run_id})


def process_identity(process: psutil.Process) -> str:
    """Return what tells a process from a later one with the same number, and from those of others.

    Machines and containers that share a database of runs do not see each other's processes.
    """
    return f"{process.pid}:{process.create_time():.2f}@{socket.gethostname()}"


def process_of(run: dg.DagsterRun) -> str | None:
    """Return the identity of the process that executes a run, where the run says so.

    Dagster copies the tags of a run that failed to the one that tries again, for which the process
    of the first says nothing.
    """
    is_own = run.tags.get(_OF_RUN_TAG, run.run_id) == run.run_id
    return run.tags.get(PROCESS_TAG) if is_own else None


def is_alive(identity: str) -> bool:
    """Return whether a process lives; of those on other hosts it is for them to say."""
    if not is_here(identity):
        return True
    try:
        process = psutil.Process(int(identity.partition(":")[0]))
        return process_identity(process) == identity and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_here(identity: str) -> bool:
    """Return whether a process is on this host; an earlier release did not say where it was."""
    return identity.partition("@")[2] in {"", socket.gethostname()}


def was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Return whether a run ended because this process was told to end."""
    ended = [event for event in result.all_events if event.is_job_failure]
    return any(
        event.job_failure_data.failure_reason is RunFailureReason.UNEXPECTED_TERMINATION
        for event in ended
    )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Return what the step says that failed."""
    for event in result.all_events:
        if event.event_type != dg.DagsterEventType.STEP_FAILURE:
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return data.user_failure_data.description
        cause = data.error
        while cause is not None and cause.cause is not None:
            cause = cause.cause
        if cause is not None:
            return f"{event.step_key}: {cause.message.strip()}"
    return "The run failed; its log in the Dagster UI says why."
