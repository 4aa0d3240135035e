"""What a process does that was forked for one run.

It is `dagster api execute_run` after its imports, by the same function of Dagster: events, logs,
failures and interrupts are Dagster's own.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg
import numpy as np
from dagster._cli.api import _execute_run_command_body
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value
from dagster._utils import get_run_crash_explanation
from dagster._utils.interrupts import capture_interrupts

from feedback_platform.orchestration.jobs import PRIORITIES, PRIORITY_TAG, PROCESS
from feedback_platform.orchestration.runs import fail_run, note_process
from feedback_platform.orchestration.shortcuts import keep_connections, take_shortcuts

_LIVE: Final = PRIORITIES[PROCESS]
_LEAST_URGENT: Final = 19
STOPPING: frozenset[signal.Signals] = frozenset({signal.SIGINT, signal.SIGTERM})


def execute_run(arguments: str) -> None:
    """Execute a run in this process, which was forked with the signals of `STOPPING` blocked.

    Args:
        arguments: Dagster's `ExecuteRunArgs`, serialised.
    """
    take_shortcuts()
    keep_connections()
    # Python's own generator is seeded anew at a fork; that of NumPy is not.
    np.random.seed()  # noqa: NPY002 - whoever draws from it does so by this name
    with capture_interrupts(), _run(arguments) as (instance, run_id):
        # What was sent until now is heard now, by Dagster's handlers.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        note_process(instance, _recorded(instance, run_id))
        run = _recorded(instance, run_id)
        # Who cancels looks for the tag after it has said so: one of the two sees the other.
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run)
            return
        os.nice(_niceness(run))
        _execute_run_command_body(run_id, instance, _ignore, set_exit_code_on_failure=False)


def report_death(arguments: str, exit_code: int) -> None:
    """Record that the process of a run ended on its own, where the run did not end.

    Args:
        arguments: those of `execute_run`.
        exit_code: of its process; negative, the signal that killed it.
    """
    with _run(arguments) as (instance, run_id):
        run = _recorded(instance, run_id)
        if not run.is_finished:
            told = get_run_crash_explanation(f"The process of run {run_id}", exit_code)
            fail_run(instance, run, told)


def _niceness(run: dg.DagsterRun) -> int:
    """Return how much a run leaves the processor to others: what is not live yields to what is.

    A training takes all cores for minutes, and micro-batches go on beside it.
    """
    try:
        # A backfill has no priority, which Dagster takes for none at all.
        behind = _LIVE - int(run.tags.get(PRIORITY_TAG, "0"))
    except ValueError:
        # Tags are written by anybody.
        return 0
    return max(0, min(behind // 2, _LEAST_URGENT))


@contextmanager
def _run(arguments: str) -> Iterator[tuple[dg.DagsterInstance, str]]:
    """Open the instance that a run belongs to."""
    given = deserialize_value(arguments, ExecuteRunArgs)
    assert given.instance_ref is not None  # noqa: S101 - the launcher names it
    with dg.DagsterInstance.from_ref(given.instance_ref) as instance:
        yield instance, given.run_id


def _recorded(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None  # noqa: S101 - it was recorded before it was launched
    return run


def _ignore(_event: dg.DagsterEvent) -> None:
    return
