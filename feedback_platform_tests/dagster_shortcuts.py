"""What Dagster need not do again for each of a hundred events of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def keep_engines(patch: pytest.MonkeyPatch) -> None:
    """Let Dagster have one engine for each of its SQLite files in this process.

    It makes one whenever it records an event, and each compiles all statements anew: a fifth of a
    small run. Connections are opened and closed as ever.
    """
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage

    for module in (sqlite_event_log, sqlite_run_storage):
        patch.setattr(module, "create_engine", _once_for_each_file(module.create_engine))


def _once_for_each_file(create_engine: Callable[..., Any]) -> Callable[..., Any]:
    engines: dict[str, Any] = {}

    def kept(url: str, **named: Any) -> Any:
        if url not in engines:
            engines[url] = create_engine(url, **named)
        return engines[url]

    return kept
