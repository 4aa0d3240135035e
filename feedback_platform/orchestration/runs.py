"""Runs of this machine: executing one in this process, and ending those whose process is gone."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import dagster as dg
import psutil
from dagster_shared.yaml_utils import load_yaml_from_path

from feedback_platform.errors import PermanentError
from feedback_platform.orchestration.progress import PROGRESS_LOGGER
from feedback_platform.settings import PROJECT_DIR, Settings

PROCESS_TAG: Final = "feedback_platform/process"
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


def prepare_home(settings: Settings) -> None:
    """Put this project's `dagster.yaml`, with what the settings add, where Dagster looks for it."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    content: Any = load_yaml_from_path(str(PROJECT_DIR / "dagster.yaml"))
    if settings.compute_logs_url is not None:
        content["compute_logs"] = _compute_logs(settings, settings.compute_logs_url)
    if settings.run_launcher == "dagster":
        del content["run_launcher"]
    text = "# Made of the project's dagster.yaml whenever a command starts.\n"
    text += json.dumps(content, indent=2)  # JSON is YAML
    (settings.dagster_home / "dagster.yaml").write_text(text, encoding="utf-8")


def execute(
    definitions: dg.Definitions,
    settings: Settings,
    job: str,
    config: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Execute a job in this process; the run and its materialisations are seen in the UI later.

    Raises:
        RunFailedError: a step failed.
    """
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        end_dead_runs(instance)
        run_id = str(uuid4())
        result = definitions.resolve_job_def(job).execute_in_process(
            run_config={**(config or {}), "loggers": {PROGRESS_LOGGER: {}}},
            instance=instance,
            run_id=run_id,
            tags=process_tag(run_id),
            raise_on_error=False,
        )
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
            fail_run(instance, run, "The process of this run is gone.")


def fail_run(instance: dg.DagsterInstance, run: dg.DagsterRun, reason: str) -> None:
    """Mark a run as failed, and free the slots it holds."""
    instance.report_run_failed(run, reason)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def end_runs_of_dead_servers(settings: Settings) -> None:
    """Mark the runs as failed that a server left behind; call it while no server is running."""
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        end_dead_runs(instance, is_server_starting=True)


def selected_tables(definitions: dg.Definitions, job: str) -> int:
    """Return how many tables a job materialises."""
    return len(definitions.resolve_job_def(job).asset_layer.selected_asset_keys)


def process_identity(process: psutil.Process) -> str:
    """Return what tells a process from a later one with the same number."""
    return f"{process.pid}:{process.create_time():.2f}"


def process_tag(run_id: str) -> dict[str, str]:
    """Return the tag that says that a run is executed by this process."""
    return {PROCESS_TAG: f"{process_identity(psutil.Process())}:{run_id}"}


def process_of(run: dg.DagsterRun) -> str | None:
    """Return the identity of the process that executes a run, where the run says so.

    Dagster copies the tags of a run that failed to the one that tries again, for which the process
    of the first says nothing.
    """
    number, _, rest = run.tags.get(PROCESS_TAG, "").partition(":")
    since, _, run_id = rest.partition(":")
    # An earlier release did not say of which run.
    return f"{number}:{since}" if number and run_id in {"", run.run_id} else None


def is_alive(identity: str) -> bool:
    """Return whether a process lives."""
    number, _, _ = identity.partition(":")
    try:
        process = psutil.Process(int(number))
        return process_identity(process) == identity and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _compute_logs(settings: Settings, url: str) -> dict[str, Any]:
    """Return where what the steps print goes; boto3 knows the credentials and the endpoint."""
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    return {
        "module": "dagster_aws.s3.compute_log_manager",
        "class": "S3ComputeLogManager",
        "config": {
            "bucket": parts.netloc,
            **({"prefix": prefix} if prefix else {}),
            "local_dir": str(settings.dagster_home / "compute_logs"),
            "skip_empty_files": True,
        },
    }


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
