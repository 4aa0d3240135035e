"""What a Spark job says of its own failure, and what becomes of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.errors import DagsterPipesExecutionError

from feedback_platform.errors import PermanentError, TransientError, text_of
from feedback_platform.spark_jobs.order import FAILURE, IS_PERMANENT


class SparkJobFailedError(PermanentError):
    """A Spark job met what a person has to mend; the text is its own, or AWS's."""


class SparkJobUnfinishedError(TransientError):
    """A Spark job ended before it was done, for a reason that may pass."""


class ReportReader:
    """A reader of messages that keeps hold of what a job says of its own failure."""

    # One job writes; Dagster's own count warns whoever asks for it that it is a preview.
    expected_writer_count = 1
    _handler: Any = None

    @contextmanager
    def read_messages(self, handler: Any) -> Iterator[Mapping[str, Any]]:
        """Read, as the other base does."""
        self._handler = handler
        with super().read_messages(handler) as parameters:  # type: ignore[misc]
            yield parameters

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Let a job fail in the words that it found, if it did."""
        try:
            yield
        # What each client raises when its job ended badly.
        except (DagsterPipesExecutionError, RuntimeError) as error:
            told = [] if self._handler is None else self._handler.get_custom_messages()
            for message in told:
                kind = SparkJobFailedError if message[IS_PERMANENT] else SparkJobUnfinishedError
                raise kind(message[FAILURE]) from error
            raise SparkJobUnfinishedError(
                f"The Spark job ended without saying why ({text_of(error)}); what it printed may "
                "tell."
            ) from error
