"""What the steps of a run print is kept on S3, where the UI of another machine finds it."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

from feedback_platform.definitions import build_definitions
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.jobs import PROCESS
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.runs import execute
from feedback_platform.settings import load_settings
from feedback_platform_tests.installation import Installation

SAID = "the lake is opened"


class TalkativePlatform(PlatformResource):
    """The steps of the platform have nothing to say when all is well."""

    def lake(self) -> Lake:
        sys.stderr.write(f"{SAID}\n")
        sys.stderr.flush()
        return super().lake()


def test_the_compute_logs_of_a_run_lie_on_the_s3_server(s3_lake_url: str, tmp_path: Path) -> None:
    Installation(tmp_path / "data").simulate(users=20, days=2)
    settings = load_settings(
        tmp_path / "data", {"FEEDBACK_COMPUTE_LOGS_URL": f"{s3_lake_url}/steps"}
    )
    definitions = build_definitions(
        settings, resource_overrides={"platform": TalkativePlatform.from_settings(settings)}
    )

    run = execute(definitions, settings, PROCESS)

    (captured,) = [
        event.logs_captured_data
        for event in run.all_events
        if event.event_type == dg.DagsterEventType.LOGS_CAPTURED
    ]
    log_key = [run.run_id, "compute_logs", captured.file_key]
    assert Lake(s3_lake_url).list_keys("steps") == [f"steps/storage/{'/'.join(log_key)}.err"]
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        shown = instance.compute_log_manager.get_log_data(log_key).stderr
    assert shown is not None
    assert SAID in shown.decode()
