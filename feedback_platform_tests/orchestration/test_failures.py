import signal
import time

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils import interrupts

from feedback_platform.errors import LakeUnavailableError, NothingToLearnError
from feedback_platform.orchestration.failures import RETRIES, reported_failures


def test_a_permanent_failure_ends_the_run_at_once_in_its_own_words() -> None:
    with pytest.raises(dg.Failure) as caught, reported_failures():
        raise NothingToLearnError("There is not enough feedback.")

    assert caught.value.description == "There is not enough feedback."
    assert caught.value.allow_retries is False


@pytest.mark.parametrize(
    "error", [LakeUnavailableError("down"), OSError("disk"), RuntimeError("x")]
)
def test_any_other_failure_is_left_to_the_retries(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, reported_failures():
        raise error

    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "attempts"), [(NothingToLearnError("none"), 1), (LakeUnavailableError("down"), 2)]
)
def test_only_what_may_pass_is_attempted_again(error: Exception, attempts: int) -> None:
    seen = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def failing() -> None:
        seen.append(error)
        with reported_failures():
            raise error

    @dg.job
    def once() -> None:
        failing()

    assert not once.execute_in_process(raise_on_error=False).success
    assert len(seen) == attempts
    assert RETRIES.max_retries > 0


def test_an_interrupt_that_duckdb_has_made_an_error_of_is_one() -> None:
    with pytest.raises(dg.RetryRequested) as caught, reported_failures():
        raise RuntimeError("Query interrupted")
    interrupts.pop_captured_interrupt()

    assert caught.value.seconds_to_wait == 0


def test_what_is_interrupted_ends_at_once_and_is_not_attempted_again() -> None:
    attempts = []
    patient = dg.RetryPolicy(max_retries=3, delay=60)

    @dg.op(retry_policy=patient)
    def interrupted(context: dg.OpExecutionContext) -> None:
        attempts.append(1)
        context.instance.report_run_canceling(context.run)
        with reported_failures():
            signal.raise_signal(signal.SIGINT)

    @dg.job
    def cancelled() -> None:
        interrupted()

    started = time.monotonic()
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(DagsterExecutionInterruptedError):
            cancelled.execute_in_process(instance=instance)
        (run,) = instance.get_runs()

    assert attempts == [1]
    assert patient.delay is not None
    assert time.monotonic() - started < patient.delay
    assert run.status == dg.DagsterRunStatus.CANCELED
