"""What Dagster need not do again for each of a hundred events of a run.

It makes an engine of SQLAlchemy whenever it records an event, and each compiles all statements
anew: a fifth of a small run. With one engine for each file they are compiled once. Connections are
opened and closed as ever.
"""

from collections.abc import Callable
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage


def keep_engines(replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let Dagster have one engine for each of its SQLite files in this process.

    Args:
        replace: what sets an attribute of a module; that of a test takes it back.
    """
    for module in (sqlite_event_log, sqlite_run_storage):
        replace(module, "create_engine", _once_for_each_file(module.create_engine))


def _once_for_each_file(create_engine: Callable[..., Any]) -> Callable[..., Any]:
    engines: dict[str, Any] = {}

    def kept(url: str, **named: Any) -> Any:
        if url not in engines:
            engines[url] = create_engine(url, **named)
        return engines[url]

    return kept
