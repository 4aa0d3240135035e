from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.orchestration import history, jobs
from feedback_platform.orchestration.history import purge_runs
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.settings import Settings, load_settings
from feedback_platform_tests.orchestration.recorded import record_run

SUCCESS = dg.DagsterRunStatus.SUCCESS
FAILURE = dg.DagsterRunStatus.FAILURE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path, {})


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def ended(
    instance: dg.DagsterInstance,
    job: str = jobs.PROCESS,
    status: dg.DagsterRunStatus = SUCCESS,
    tags: dict[str, str] | None = None,
) -> str:
    """Record a run that has said something and has ended."""
    run = record_run(instance, job, status=status, tags=tags)
    instance.report_engine_event("It ended.", run)
    return run.run_id


def recorded(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_all_old_runs_are_deleted_of_which_few_are_looked_at_together(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BATCH", 2)
    for status in (SUCCESS, FAILURE, dg.DagsterRunStatus.CANCELED, SUCCESS, SUCCESS):
        ended(instance, status=status)
    now = datetime.now(UTC)
    kept = {ended(instance), ended(instance, status=FAILURE)}
    reports: list[int] = []

    assert purge_runs(settings, now, reports.append) == 5

    assert recorded(instance) == kept
    assert reports[-1] == 5
    assert purge_runs(settings, now) == 0


def test_the_events_of_a_run_and_its_files_go_with_it(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    old, new = ended(instance), ended(instance)
    home = settings.dagster_home
    printed = [home / "storage" / run / "compute_logs" / "step.out" for run in (old, new)]
    for path in printed:
        path.parent.mkdir(parents=True)
        path.touch()

    purge_runs(settings, datetime.now(UTC))

    assert [path.exists() for path in printed] == [False, True]
    assert not list(home.rglob(f"{old}*"))
    # Who had the old run open believes that its file is there.
    with dg.DagsterInstance.from_config(str(home)) as later:
        assert [len(later.all_logs(run)) for run in (old, new)] == [0, 1]


def test_what_is_under_way_stays(instance: dg.DagsterInstance, settings: Settings) -> None:
    waiting = record_run(instance, status=dg.DagsterRunStatus.NOT_STARTED).run_id
    started = record_run(instance).run_id
    ended(instance)
    newest = ended(instance)

    purge_runs(settings, datetime.now(UTC))

    assert recorded(instance) == {waiting, started, newest}


def test_the_newest_run_and_the_newest_success_of_a_job_stay(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    ended(instance)
    success = ended(instance)
    ended(instance, status=FAILURE)
    failure = ended(instance, status=FAILURE)
    erased = ended(instance, jobs.ERASE)

    purge_runs(settings, datetime.now(UTC))

    assert recorded(instance) == {success, failure, erased}


def test_runs_by_which_sensors_and_days_know_what_was_done_stay(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    runs = {
        ended(instance, job, tags=tags)
        for job, tags in (
            (jobs.TRAIN, {"dagster/run_key": "drift-1"}),
            (jobs.TRAIN, {"dagster/run_key": "drift-2"}),
            (jobs.PUBLISH_MODELS, {"adjustment": "1-applied"}),
            (jobs.PUBLISH_MODELS, {"adjustment": "1-reverted"}),
            (jobs.REPROCESS, {"dagster/partition": "2026-01-05"}),
            (jobs.REPROCESS, {"dagster/partition": "2026-01-06"}),
            ("__ASSET_JOB", {"dagster/asset_partition_range_start": "2026-01-05"}),
        )
    }

    assert purge_runs(settings, datetime.now(UTC)) == 0
    assert recorded(instance) == runs
