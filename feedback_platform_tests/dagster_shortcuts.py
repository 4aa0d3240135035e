"""What Dagster need not do again for each of a hundred events of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy
from sqlalchemy.pool import QueuePool

# A data directory has two files that all runs write, and one for each run.
_KEPT: Final = 8


@contextmanager
def shortcuts_taken() -> Iterator[None]:
    """Let Dagster take them in this process."""
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage

    kept = KeptEngines()
    with pytest.MonkeyPatch.context() as patch:
        for module in (sqlite_event_log, sqlite_run_storage):
            patch.setattr(module, "create_engine", kept.once(module.create_engine))
        _read_migrations_once(patch)
        yield
    kept.dispose()


class KeptEngines:
    """One engine, with its connection, for each of the SQLite files that were used last.

    Dagster makes one whenever it records an event, which compiles all statements anew and opens
    the file: 600 times in a small run.
    """

    def __init__(self) -> None:
        self._engines: OrderedDict[str, sqlalchemy.Engine] = OrderedDict()

    def once(self, create_engine: Callable[..., sqlalchemy.Engine]) -> Callable[..., Any]:
        """Return what takes the place of `create_engine`."""

        def kept(url: str, **named: Any) -> sqlalchemy.Engine:
            if url not in self._engines:
                pooled = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": -1}
                engine = create_engine(url, **named | pooled)
                _look_at_the_file(engine)
                self._engines[url] = engine
            self._engines.move_to_end(url)
            while len(self._engines) > _KEPT:
                self._engines.popitem(last=False)[1].dispose()
            return self._engines[url]

        return kept

    def dispose(self) -> None:
        """Close all connections."""
        while self._engines:
            self._engines.popitem()[1].dispose()


def _look_at_the_file(engine: sqlalchemy.Engine) -> None:
    """Have whoever deleted the file, or put another in its place, find what is there now."""
    path = Path(engine.url.database or "")

    def is_still_there(_: object, record: Any, __: object) -> None:
        now = path.stat().st_ino if path.exists() else None
        if record.info.setdefault("file", now) != now:
            raise sqlalchemy.exc.DisconnectionError

    sqlalchemy.event.listen(engine, "checkout", is_still_there)


def _read_migrations_once(patch: pytest.MonkeyPatch) -> None:
    """Each run has a file of its own, and Dagster reads its 90 migrations anew to set that up."""
    from alembic.script import ScriptDirectory

    read = ScriptDirectory.from_config
    known: dict[str | None, ScriptDirectory] = {}

    def once(config: Any) -> ScriptDirectory:
        location = config.get_main_option("script_location")
        if location not in known:
            known[location] = read(config)
        return known[location]

    patch.setattr(ScriptDirectory, "from_config", once)
