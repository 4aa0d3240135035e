"""Cleaning as a job of its own, as far as it can be seen without Spark; see services/ for more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)
from dagster._core.pipes import utils as pipes_waiting
from dagster_pipes import decode_param

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.quarantine import QuarantineFilter
from feedback_platform.cleaning.task import CleaningTask
from feedback_platform.emr_serverless import EmrServerless
from feedback_platform.lake import keys
from feedback_platform.orchestration import spark_driver, spark_on_emr
from feedback_platform.orchestration.assets.cleaning import clean_events
from feedback_platform.orchestration.spark_reports import (
    SparkJobFailedError,
    SparkJobUnfinishedError,
)
from feedback_platform.spark_jobs.order import CleaningOrder
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.orchestration.emr_server import (
    APPLICATION,
    ROLE,
    JobRun,
    RefusedError,
    driver_variables,
    emr_server,
)

SOMEWHERE = EmrServerless(
    APPLICATION,
    ROLE,
    "s3://code/cleaning.py",
    "s3://messages/pipes/",
    logs_url="s3://logs/spark",
    spark_parameters="--conf spark.executor.memory=8g",
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for messages of a job that there is not."""
    monkeypatch.setattr(pipes_waiting, "WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)
    monkeypatch.setattr(spark_on_emr, "_POLL_SECONDS", 0.05)


def failure(installation: Installation, **config: str) -> tuple[str, int]:
    """Clean, in vain; return what the run says, and how often it tried."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [clean_events],
            resources={"platform": installation.platform},
            run_config={"ops": {"clean_events": {"config": config}}},
            instance=instance,
            raise_on_error=False,
        )
    assert not result.success
    (step,) = [event for event in result.all_events if event.is_step_failure]
    data = step.step_failure_data
    said = data.user_failure_data.description if data.user_failure_data else str(data.error)
    again = [event for event in result.all_events if event.is_step_up_for_retry]
    return str(said), 1 + len(again)


def elsewhere(tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    installation = Installation(tmp_path / "data", (tmp_path / "lake").as_uri())
    installation.settings = replace(
        installation.settings,
        engine="spark",
        spark_driver="emr-serverless",
        emr_serverless=SOMEWHERE,
    )
    return installation


def test_a_job_that_cannot_do_its_work_ends_the_run_at_once_in_its_own_words(
    tmp_path: Path,
) -> None:
    installation = Installation(tmp_path / "data")
    installation.settings = replace(installation.settings, engine="spark", spark_driver="process")
    damaged = keys.cleaning_rules(default_rules().version)
    installation.lake.put(damaged, b"{}", mode="create")

    said, attempts = failure(installation)

    assert said.startswith(f"The cleaning rules {damaged} are damaged")
    assert attempts == 1


@pytest.mark.usefixtures("impatient")
def test_emr_serverless_is_told_what_to_clean_and_where_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: dict[str, Any]) -> JobRun:  # noqa: ARG001 - by its name
        raise RefusedError(403, "AccessDeniedException")

    with emr_server(refuse) as service:
        said, attempts = failure(
            elsewhere(tmp_path, service.endpoint, monkeypatch), replay_reason="missing_field"
        )

    assert said.startswith(f"EMR Serverless, application {APPLICATION}: ")
    assert "AccessDeniedException" in said
    assert attempts == 1
    (request,) = service.requests
    assert request["executionRoleArn"] == ROLE
    driver = request["jobDriver"]["sparkSubmit"]
    assert driver["entryPoint"] == "s3://code/cleaning.py"
    assert driver["sparkSubmitParameters"].startswith("--conf spark.executor.memory=8g --conf ")
    assert request["configurationOverrides"] == {
        "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://logs/spark"}}
    }
    context, messages = (
        decode_param(driver_variables(request)[f"DAGSTER_PIPES_{name}"])
        for name in ("CONTEXT", "MESSAGES")
    )
    assert CleaningOrder.read(context["data"]["extras"]) == CleaningOrder(
        lake_url=(tmp_path / "lake").as_uri(),
        rules_version=default_rules().version,
        mapping=None,
        task=CleaningTask(replayed=QuarantineFilter(reason="missing_field")),
    )
    assert messages["bucket"] == "messages"
    assert messages["key_prefix"].startswith("pipes/")


class LostJob:
    """A job run after which nobody can ask."""

    is_cancelled = False

    @property
    def state(self) -> str:
        raise RefusedError(500, "InternalServerException")

    def cancel(self) -> None:
        self.is_cancelled = True


def test_a_job_that_was_lost_sight_of_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = LostJob()
    with emr_server(lambda _request: job) as service:
        elsewhere(tmp_path, service.endpoint, monkeypatch)
        client = spark_on_emr._EmrServerlessClient(message_reader=spark_driver._FileReader())
        started = client.client.start_job_run(**spark_on_emr.start_parameters(SOMEWHERE))
        with pytest.raises(ClientError, match="InternalServerException"):
            client._wait_for_completion(dg.build_op_context(), started)

    assert job.is_cancelled


def refused(status: int, code: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "StartJobRun",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused(404, "ResourceNotFoundException"), SparkJobFailedError),
        (refused(400, "ThrottlingException"), SparkJobUnfinishedError),
        (refused(402, "ServiceQuotaExceededException"), SparkJobUnfinishedError),
        (refused(500, "InternalServerException"), SparkJobUnfinishedError),
        (NoCredentialsError(), SparkJobFailedError),
        (NoRegionError(), SparkJobFailedError),
        (EndpointConnectionError(endpoint_url="x"), SparkJobUnfinishedError),
        (ReadTimeoutError(endpoint_url="x"), SparkJobUnfinishedError),
    ],
)
def test_only_what_may_pass_is_worth_another_attempt(
    error: Exception, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=APPLICATION), spark_on_emr._refusals(SOMEWHERE):
        raise error
