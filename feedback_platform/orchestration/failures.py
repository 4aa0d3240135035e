"""Telling Dagster which failures are worth another attempt."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils import interrupts

from feedback_platform.errors import PermanentError

# A store or a lock may be back in a moment; more patience is the sensor's business.
RETRIES: Final = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL)

# What DuckDB makes of an interrupt that comes while it works. The interrupt itself is lost.
_INTERRUPTED_QUERY: Final = "Query interrupted"


@contextmanager
def reported_failures() -> Iterator[None]:
    """Let a permanent failure end the run at once, in its own words; others are retried.

    What was interrupted is not attempted again, though Dagster would: where a step has retries, a
    run that is cancelled would only start it anew, and succeed.

    Raises:
        Failure: of what a person has to mend.
        RetryRequested: of what was interrupted, so that nobody waits before it ends.
    """
    try:
        yield
    except PermanentError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except (DagsterExecutionInterruptedError, KeyboardInterrupt, RuntimeError) as interrupt:
        if isinstance(interrupt, RuntimeError) and str(interrupt) != _INTERRUPTED_QUERY:
            raise
        # As if it had come between two attempts: the next one is due at once, and does not begin.
        interrupts._received_interrupt["received"] = True  # noqa: SLF001 - nothing else sets it
        raise dg.RetryRequested(RETRIES.max_retries, seconds_to_wait=0) from interrupt
