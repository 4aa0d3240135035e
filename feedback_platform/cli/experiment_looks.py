"""What an experiment is found to be at this moment, by what is published."""

from __future__ import annotations

import duckdb

from feedback_platform.experiments.assigned import assigned_users
from feedback_platform.experiments.entries import Started, Stopped
from feedback_platform.experiments.looks import Look, read_looks, with_look
from feedback_platform.experiments.reading import look_at
from feedback_platform.lake.store import Lake
from feedback_platform.newest_event import newest_event
from feedback_platform.settings import Settings
from feedback_platform.warehouse.connection import single_row
from feedback_platform.warehouse.experiment_tables import ExperimentTables
from feedback_platform.warehouse.published import open_published, published_through


def looks_now(settings: Settings, started: Started, stopped: Stopped | None) -> tuple[Look, ...]:
    """Return the looks so far, and one more at what is published if there is more to find.

    What is looked at here is not written down; the next run looks by itself.
    """
    looks = read_looks(Lake(settings.lake_url), started.key)
    is_final = bool(looks) and looks[-1].is_final
    if is_final or published_through(settings.published_path) == 0:
        return looks
    with open_published(settings.published_path) as connection:
        found = _look(connection, started, stopped)
    is_newer = found is not None and (not looks or found.batch >= looks[-1].batch)
    return with_look(looks, found) if found is not None and is_newer else looks


def assigned_now(settings: Settings, started: Started, stopped: Stopped | None) -> dict[str, int]:
    """Return how many of the users who came meanwhile the definition gives to each arm."""
    if published_through(settings.published_path) == 0:
        return {}
    ends = started.ends_at if stopped is None else min(stopped.at, started.ends_at)
    with open_published(settings.published_path) as connection:
        return assigned_users(ExperimentTables(connection), started, ends)


def _look(
    connection: duckdb.DuckDBPyConnection, started: Started, stopped: Stopped | None
) -> Look | None:
    tables = ExperimentTables(connection)
    newest = newest_event(tables.query)
    if newest is None or newest < started.at:
        return None
    (through,) = single_row(connection, "select through from published.state")
    return look_at(tables, started, stopped, newest, int(through))
