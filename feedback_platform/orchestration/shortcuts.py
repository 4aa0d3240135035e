"""What Dagster need not do again and again in one process.

It makes an engine of SQLAlchemy whenever it records an event, and each compiles all statements
anew; with one engine for each file they are compiled once. Whenever it opens an instance, which it
does for each evaluation of a sensor, it reads its ninety migrations from the disk to see which of
them is the newest. And it closes its connections after each use.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool

_STORAGES: Final = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
_IS_TAKEN: Final = "is_shortcut"
_MOST_ENGINES: Final = 64


def take_shortcuts(replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let Dagster keep its engines and its migrations in this process; the second time is for free.

    Args:
        replace: what sets an attribute; that of a test takes it back.
    """
    for storage in _STORAGES:
        if not hasattr(storage.create_engine, _IS_TAKEN):
            replace(storage, "create_engine", _once_for_each_file(storage.create_engine))
    if not hasattr(ScriptDirectory.from_config, _IS_TAKEN):
        replace(ScriptDirectory, "from_config", _once_for_each_place(ScriptDirectory.from_config))


def keep_connections(replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let Dagster keep its connections open, too, in a process that executes one run.

    SQLite tidies up whenever the last connection to a file closes, and reads the file's schema
    whenever one opens.

    Args:
        replace: what sets an attribute; that of a test takes it back.
    """
    for storage in _STORAGES:
        replace(storage, "create_engine", _once_for_each_file(_keeping_connections))


def _keeping_connections(url: str, **named: Any) -> Engine:
    # Each use has a connection of its own; it holds no lock while nobody uses it.
    engine = create_engine(url, **{**named, "poolclass": QueuePool})
    # Dagster disposes of its engine after each use.
    engine.dispose = _nothing  # type: ignore[method-assign, assignment]
    return engine


def _nothing() -> None:
    return


def _once_for_each_file(create: Callable[..., Any]) -> Callable[..., Any]:
    # Every run has a file of its own, and a server sees many of them.
    engines: OrderedDict[str, Any] = OrderedDict()
    lock = Lock()

    def kept(url: str, **named: Any) -> Any:
        with lock:
            if url not in engines:
                engines[url] = create(url, **named)
            engines.move_to_end(url)
            while len(engines) > _MOST_ENGINES:
                engines.popitem(last=False)
            return engines[url]

    setattr(kept, _IS_TAKEN, True)
    return kept


def _once_for_each_place(read: Callable[[Any], ScriptDirectory]) -> Callable[[Any], Any]:
    directories: dict[str | None, ScriptDirectory] = {}

    def kept(config: Any) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in directories:
            directories[place] = read(config)
        return directories[place]

    setattr(kept, _IS_TAKEN, True)
    return kept
