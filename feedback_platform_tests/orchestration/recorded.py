"""Runs as an instance remembers them, without executing anything."""

from __future__ import annotations

from collections.abc import Mapping

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
