"""Cleaning, wherever its driver runs: in the run itself, or as a job that reports through Pipes.

Such a job is a process of this machine, or one of EMR Serverless. Either runs
`feedback_platform.spark_jobs.cleaning`; its materialisations, its log and its failures are the
run's.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import dagster as dg
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from dagster._core.errors import DagsterPipesExecutionError
from dagster_aws.pipes import PipesEMRServerlessClient, PipesS3MessageReader

from feedback_platform.cleaning.kept_rules import keep_rules
from feedback_platform.cleaning.task import CleaningTask, carry_out
from feedback_platform.emr_serverless import EmrServerless
from feedback_platform.errors import PermanentError, TransientError, text_of
from feedback_platform.events.translation.mapping import mapping_text
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.spark_jobs.order import FAILURE, IS_PERMANENT, CleaningOrder

_JOB: Final = "feedback_platform.spark_jobs.cleaning"
_POLL_SECONDS: Final = 5.0
# Refusals of AWS that pass by themselves.
_TOO_MANY: Final = {402, 409, 429}
# What is said before AWS is asked at all.
_NOT_SET_UP: Final = (
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)


class SparkJobFailedError(PermanentError):
    """A Spark job met what a person has to mend; the text is its own, or AWS's."""


class SparkJobUnfinishedError(TransientError):
    """A Spark job ended before it was done, for a reason that may pass."""


def cleaned(
    context: dg.AssetExecutionContext, platform: PlatformResource, task: CleaningTask
) -> Sequence[Any]:
    """Carry out a task where the settings say; return what was materialised.

    Raises:
        PermanentError: a person has to act.
        TransientError: another attempt may succeed; it goes on with what is not clean yet.
    """
    settings = platform.settings
    if settings.spark_driver != "in-run":
        return _by_job(context, platform, task)
    made = carry_out(
        task,
        platform.lake(),
        platform.rules(),
        mapping=platform.mapping(),
        engine=platform.cleaning_engine(),
        log=context.log,
    )
    return [
        dg.MaterializeResult(asset_key=dg.AssetKey.from_user_string(asset), metadata=metadata)
        for asset, metadata in made.items()
    ]


def _by_job(
    context: dg.AssetExecutionContext, platform: PlatformResource, task: CleaningTask
) -> Sequence[Any]:
    settings, lake, rules = platform.settings, platform.lake(), platform.rules()
    platform.mapping()  # a mistake in the file is better found here
    keep_rules(lake, rules)
    order = CleaningOrder(
        settings.lake_url, rules.version, mapping_text(settings.event_mapping), task
    )
    application = settings.emr_serverless
    if application is None:
        completed = _on_this_machine(context, order)
    else:
        with _refusals(application):
            completed = _on_emr_serverless(context, order, application)
    # What nobody reported was not made.
    return completed.get_results(implicit_materializations=False)


def _on_this_machine(context: dg.AssetExecutionContext, order: CleaningOrder) -> Any:
    reader = _FileReader()
    client = dg.PipesSubprocessClient(message_reader=reader)
    with reader.failures():
        return client.run(
            # Pipes asks for what the context of an asset calls deprecated.
            context=context.op_execution_context,
            command=[sys.executable, "-m", _JOB],
            extras=order.written(),
        )


def _on_emr_serverless(
    context: dg.AssetExecutionContext, order: CleaningOrder, application: EmrServerless
) -> Any:
    messages = urlsplit(application.messages_url)
    reader = _BucketReader(
        messages.path.strip("/"),
        bucket=messages.netloc,
        client=boto3.client("s3"),
        interval=_POLL_SECONDS,
    )
    client = _EmrServerlessClient(message_reader=reader, poll_interval=_POLL_SECONDS)
    with reader.failures():
        return client.run(
            context=context.op_execution_context,
            start_job_run_params=start_parameters(application),
            extras=order.written(),
        )


def start_parameters(application: EmrServerless) -> Any:
    """Return what StartJobRun is asked for; Pipes adds its own variables and tags."""
    monitoring = (
        {"s3MonitoringConfiguration": {"logUri": application.logs_url}}
        if application.logs_url
        else {}
    )
    return {
        "applicationId": application.application_id,
        "executionRoleArn": application.execution_role,
        "name": "feedback-platform cleaning",
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": application.entry_point,
                "sparkSubmitParameters": application.spark_parameters,
            }
        },
        "configurationOverrides": {"monitoringConfiguration": monitoring},
    }


class _Heard:
    """A reader of messages that keeps hold of what a job says of its own failure."""

    # One job writes; Dagster's own count warns whoever asks for it that it is a preview.
    expected_writer_count = 1
    _handler: Any = None

    @contextmanager
    def read_messages(self, handler: Any) -> Iterator[Mapping[str, Any]]:
        """Read, as the other base does."""
        self._handler = handler
        with super().read_messages(handler) as parameters:  # type: ignore[misc]
            yield parameters

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Let a job fail in the words that it found, if it did."""
        try:
            yield
        # What each client raises when its job ended badly.
        except (DagsterPipesExecutionError, RuntimeError) as error:
            told = [] if self._handler is None else self._handler.get_custom_messages()
            for message in told:
                kind = SparkJobFailedError if message[IS_PERMANENT] else SparkJobUnfinishedError
                raise kind(message[FAILURE]) from error
            raise SparkJobUnfinishedError(
                f"The Spark job ended without saying why ({text_of(error)}); what it printed may "
                "tell."
            ) from error


class _FileReader(_Heard, dg.PipesTempFileMessageReader):
    """Messages of a process of this machine."""


class _BucketReader(_Heard, PipesS3MessageReader):
    """Messages of a process that shares no disk with us, below a prefix of a bucket."""

    def __init__(self, prefix: str, **options: Any) -> None:
        super().__init__(**options)
        self._prefix = prefix

    @contextmanager
    def get_params(self) -> Iterator[Mapping[str, Any]]:
        """Say where the job is to write."""
        with super().get_params() as parameters:
            below = f"{self._prefix}/{parameters['key_prefix']}".lstrip("/")
            yield {**parameters, "key_prefix": below}


class _EmrServerlessClient(PipesEMRServerlessClient):
    """Dagster's own client, but for messages in a bucket and jobs that it lost sight of."""

    def _wait_for_completion(self, context: Any, started: Any) -> Any:
        """Wait; end a job that cannot be asked after any more, for another one will follow."""
        try:
            return super()._wait_for_completion(context, started)
        except (BotoCoreError, ClientError):
            with suppress(BotoCoreError, ClientError):
                self._terminate(context, started)
            raise

    def _read_messages(self, *_of_job: Any) -> None:
        """Leave the messages to the reader, of which the original would warn that it is none."""


@contextmanager
def _refusals(application: EmrServerless) -> Iterator[None]:
    """Tell what AWS refuses for good from what may pass."""
    where = f"EMR Serverless, application {application.application_id}"
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        is_final = 400 <= status < 500 and status not in _TOO_MANY  # noqa: PLR2004
        is_throttled = "Throttl" in error.response.get("Error", {}).get("Code", "")
        kind = SparkJobFailedError if is_final and not is_throttled else SparkJobUnfinishedError
        raise kind(f"{where}: {text_of(error)}") from error
    except _NOT_SET_UP as error:
        raise SparkJobFailedError(f"{where} cannot be asked: {text_of(error)}") from error
    except BotoCoreError as error:
        raise SparkJobUnfinishedError(f"{where} did not answer: {text_of(error)}") from error
