"""Runs as an instance remembers them, without executing anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import dagster as dg

from feedback_platform.orchestration.jobs import PROCESS


def record_run(
    instance: dg.DagsterInstance,
    job: str = PROCESS,
    *,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    tags: Mapping[str, str] | None = None,
) -> dg.DagsterRun:
    run = dg.DagsterRun(job_name=job, status=status, tags=dict(tags or {}))
    instance.add_run(run)
    return run


def record_failure(instance: dg.DagsterInstance, job: str = PROCESS) -> None:
    instance.report_run_failed(record_run(instance, job))


def record_success(
    instance: dg.DagsterInstance, job: str, *, began: datetime, ended: datetime
) -> None:
    run = record_run(instance, job)
    for kind, at in (
        (dg.DagsterEventType.RUN_START, began),
        (dg.DagsterEventType.RUN_SUCCESS, ended),
    ):
        event = dg.DagsterEvent(event_type_value=kind.value, job_name=job)
        instance.run_storage.handle_run_event(run.run_id, event, at)
