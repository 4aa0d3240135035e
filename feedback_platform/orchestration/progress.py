"""Following a run from the command line: each finished table and each failure, as it happens."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

PROGRESS_LOGGER: Final = "progress"

Listener = Callable[[dg.DagsterEvent], None]
_listeners: list[Listener] = []


class _EventHandler(logging.Handler):
    """Hands the events of a run to whoever listens in this process."""

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is not None:
            for listener in _listeners:
                listener(event)


def _silent_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.{init_context.run_id}")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(_EventHandler())
    return logger


progress_logger = dg.LoggerDefinition(
    _silent_logger, description="Hands the events of a run to the command line that started it."
)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call a listener with each event of the runs that this process executes meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
