"""The Spark driver on EMR Serverless.

Only who chose it imports this: AWS's clients cost every start half a second.
"""

from collections.abc import Iterator, Mapping
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
from dagster_aws.pipes import PipesEMRServerlessClient, PipesS3MessageReader

from feedback_platform.emr_serverless import EmrServerless
from feedback_platform.errors import text_of
from feedback_platform.orchestration.spark_reports import (
    ReportReader,
    SparkJobFailedError,
    SparkJobUnfinishedError,
)
from feedback_platform.spark_jobs.order import CleaningOrder

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


def run_on_emr_serverless(
    context: dg.AssetExecutionContext, order: CleaningOrder, application: EmrServerless
) -> Any:
    """Start a job, wait for its end, and return what it reported.

    Raises:
        SparkJobFailedError: it met what a person has to mend, or AWS refuses for good.
        SparkJobUnfinishedError: another attempt may succeed.
    """
    with _refusals(application):
        return _run(context, order, application)


def _run(
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


class _BucketReader(ReportReader, PipesS3MessageReader):
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
