"""Dagster starts cleaning as a Spark job, here and as EMR Serverless would, and is told all of it.

EMR Serverless is AWS's: a server of this machine takes its place, and runs what it is asked to with
spark-submit, in a process that shares nothing with Dagster's but the bucket.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import dagster as dg
import psutil
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.emr_serverless import EmrServerless
from feedback_platform.lake import keys
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.assets.cleaning import clean_events
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.cleaning.lines import event, ndjson
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.orchestration.emr_server import (
    APPLICATION,
    ROLE,
    driver_variables,
    emr_server,
)
from feedback_platform_tests.services.bad_objects import write_bad_objects
from feedback_platform_tests.services.local_spark import SHORT_LIVED, local_spark
from feedback_platform_tests.services.s3_server import s3_variables
from feedback_platform_tests.services.same_rows import assert_as_polars_would
from feedback_platform_tests.services.spark_job import PATIENCE_SECONDS

# Objects enough that who watches a job write them sees it before it is done.
DAYS: Final = 200
EVENTS_A_DAY: Final = 3


@pytest.fixture(scope="module")
def spark(service_dir: Path) -> dict[str, str]:
    settings = {"spark__driver__memory": "1g", "spark__driver__extraJavaOptions": SHORT_LIVED}
    return local_spark(service_dir / "driver", **settings)


def land(lake: Lake) -> None:
    """Many days, so that a batch is many objects, and some of what goes wrong."""
    for day in range(DAYS):
        received_at = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        lines = [
            event(
                f"e{day:03}-{number:03}",
                "item_rated" if number % 2 else "item_viewed",
                value=number % 5 + 1,
                user_id=f"u{number % 17}",
                occurred_at=received_at.isoformat(),
            )
            for number in range(EVENTS_A_DAY)
        ]
        write_raw_object(
            lake,
            received_at=received_at,
            source="web",
            sortable_id=f"{day:03}",
            ndjson=ndjson(*lines, b"bad"),
        )
    write_bad_objects(lake)


def clean(
    installation: Installation, instance: dg.DagsterInstance, *, is_expected: bool = True
) -> dict[str, Any]:
    """Execute the step alone; return the values of its metadata, by asset and name."""
    result = dg.materialize(
        [clean_events],
        resources={"platform": installation.platform},
        run_config={"ops": {"clean_events": {"config": {"sweep": True}}}},
        instance=instance,
        raise_on_error=is_expected,
    )
    assert result.success == is_expected
    return {
        f"{event.asset_key.to_user_string()}/{name}": value.value
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
        for name, value in event.materialization.metadata.items()
    }


@contextmanager
def as_variables(**variables: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        yield


def messages(instance: dg.DagsterInstance) -> list[str]:
    """What was logged, and what the events of the run carry."""
    (run,) = instance.get_run_records(limit=1)
    return [
        f"{entry.user_message} {event.event_specific_data if event else ''}"
        for entry in instance.all_logs(run.dagster_run.run_id)
        for event in (entry.dagster_event,)
    ]


def await_that(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.005)


def job_of_this_process() -> psutil.Process:
    (job,) = [
        child
        for child in psutil.Process().children()
        if "feedback_platform.spark_jobs.cleaning" in child.cmdline()
    ]
    return job


def kill_once_it_writes(lake: Lake) -> list[str]:
    """End the job, and all that it started, when the first clean object is there.

    Returns:
        the clean objects that it left.
    """

    def written() -> list[str]:
        return [key for key in lake.list_keys(keys.CLEAN) if key.endswith(".parquet")]

    await_that(lambda: bool(written()), "the first clean object")
    job = job_of_this_process()
    for process in (*job.children(recursive=True), job):
        process.send_signal(signal.SIGKILL)
    assert manifests_after(lake, 0) == [], "the job was done before it was killed"
    return written()


def test_a_job_that_is_killed_while_it_writes_is_followed_by_one_that_leaves_nothing_out(
    spark: dict[str, str], tmp_path: Path
) -> None:
    installation = Installation(tmp_path / "data")
    installation.settings = replace(installation.settings, engine="spark", spark_driver="process")
    lake = installation.lake
    land(lake)

    with (
        as_variables(**spark),
        dg.DagsterInstance.ephemeral() as instance,
        ThreadPoolExecutor() as aside,
    ):
        killer = aside.submit(kill_once_it_writes, lake)
        made = clean(installation, instance)
        left = killer.result()
        said = messages(instance)

    # The step's second attempt made it; of what the first one wrote, nothing counts.
    assert 0 < len(left) < DAYS
    manifests = manifests_after(lake, 0)
    assert not set(left) & {key for manifest in manifests for key in manifest.clean_objects}
    assert any("The Spark job ended without saying why" in text for text in said)
    assert any("raw objects are clean" in text for text in said)
    assert_as_polars_would(lake, tmp_path / "elsewhere")
    assert made["clean/events/clean"] == sum(manifest.clean for manifest in manifests)
    assert made["clean/events/clean"] > DAYS * EVENTS_A_DAY
    assert made["quarantine/events/quarantined"] > DAYS
    assert made["clean/events/seconds"] > 0


class SubmittedJob:
    """spark-submit, as EMR Serverless runs it: with a script and with variables, and no more."""

    def __init__(
        self, request: dict[str, Any], environment: dict[str, str], buckets: Path, log: Path
    ) -> None:
        script = urlsplit(request["jobDriver"]["sparkSubmit"]["entryPoint"])
        submit = Path(sys.executable).parent / "spark-submit"
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(submit), str(buckets / script.netloc / script.path.lstrip("/"))],
                env=environment | driver_variables(request),
                stdout=output,
                stderr=output,
                cwd=log.parent,
                start_new_session=True,
            )

    @property
    def state(self) -> str:
        code = self._process.poll()
        return "RUNNING" if code is None else "FAILED" if code else "SUCCESS"

    def cancel(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)


def test_a_job_on_emr_serverless_reports_through_a_bucket(
    spark: dict[str, str], s3_endpoint: str, service_dir: Path, tmp_path: Path
) -> None:
    buckets = service_dir / "buckets"
    for name in ("lake-of-emr", "code-of-emr", "messages-of-emr"):
        (buckets / name).mkdir()
    script = PROJECT_DIR / "feedback_platform" / "spark_jobs" / "cleaning.py"
    (buckets / "code-of-emr" / "cleaning.py").write_bytes(script.read_bytes())
    aws = s3_variables(s3_endpoint) | {"AWS_DEFAULT_REGION": "us-east-1"}
    application = EmrServerless(
        APPLICATION, ROLE, "s3://code-of-emr/cleaning.py", "s3://messages-of-emr/pipes"
    )
    of_driver = {
        # What the application's image holds.
        **{name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ},
        "PYTHONPATH": str(PROJECT_DIR),
        "PYSPARK_PYTHON": sys.executable,
        **spark,
        **aws,
    }
    logs = iter(tmp_path / f"job-{number}.log" for number in range(3))

    def start(request: dict[str, Any]) -> SubmittedJob:
        return SubmittedJob(request, of_driver, buckets, next(logs))

    with (
        as_variables(**aws),
        emr_server(start) as service,
        as_variables(AWS_ENDPOINT_URL_EMR_SERVERLESS=service.endpoint),
    ):
        installation = Installation(tmp_path / "data", "s3://lake-of-emr")
        installation.settings = replace(
            installation.settings,
            engine="spark",
            spark_driver="emr-serverless",
            emr_serverless=application,
        )
        lake = installation.lake
        land(lake)
        with dg.DagsterInstance.ephemeral() as instance:
            made = clean(installation, instance)
            said = messages(instance)
        assert made["clean/events/lines"] > DAYS * EVENTS_A_DAY
        assert made["clean/events/AWS EMR Serverless Job Run ID"] == "run1"
        assert any("raw objects are clean" in text for text in said)
        assert_as_polars_would(lake, tmp_path / "elsewhere")

        lake.put(keys.cleaning_rules(default_rules().version), b"{}", mode="overwrite")
        with dg.DagsterInstance.ephemeral() as instance:
            clean(installation, instance, is_expected=False)
            said = messages(instance)
        assert any("The cleaning rules" in text and "are damaged" in text for text in said)
        assert len(service.runs) == 2
