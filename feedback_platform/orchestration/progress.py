"""Following a run from the command line: each table, as it is finished."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

PROGRESS_LOGGER: Final = "progress"

# Called with the name of a table and what is known of it.
Listener = Callable[[str, Mapping[str, Any]], None]
_listeners: list[Listener] = []


class _EventHandler(logging.Handler):
    """Hands the finished tables of a run to whoever listens in this process."""

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is None or event.event_type != dg.DagsterEventType.ASSET_MATERIALIZATION:
            return
        materialization = event.step_materialization_data.materialization
        known = {label: value.value for label, value in materialization.metadata.items()}
        for listener in _listeners:
            listener(materialization.asset_key.to_user_string(), known)


def _silent_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.{init_context.run_id}")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(_EventHandler())
    return logger


progress_logger = dg.LoggerDefinition(
    _silent_logger, description="Tells the command line that started a run of each finished table."
)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call a listener with each table that runs of this process finish meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
