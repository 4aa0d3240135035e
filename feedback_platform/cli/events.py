"""import and simulate: raw events into the lake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.progress import progress_bar
from feedback_platform.ingestion.events_file import read_events
from feedback_platform.ingestion.imported import ImportedEvents
from feedback_platform.ingestion.importing import import_events
from feedback_platform.ingestion.movielens import read_movielens
from feedback_platform.ingestion.open_bandit import read_open_bandit
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

_PATH = click.argument("path", type=click.Path(path_type=Path))


@click.group(name="import")
def import_group() -> None:
    """Load real data as raw events; importing the same data again adds nothing."""


@import_group.command(epilog="Example: feedback-platform import movielens ./ml-latest-small")
@_PATH
@with_settings
@with_json
def movielens(path: Path, settings: Settings, as_json: bool) -> None:
    """Ratings, tags and films of a MovieLens directory (ratings.csv, tags.csv, movies.csv)."""
    _import(settings, read_movielens, path, as_json=as_json)


@import_group.command(
    name="open-bandit", epilog="Example: feedback-platform import open-bandit ./open-bandit-small"
)
@_PATH
@with_settings
@with_json
def open_bandit(path: Path, settings: Settings, as_json: bool) -> None:
    """Impressions and clicks of the Open Bandit data; its policies become variants."""
    _import(settings, read_open_bandit, path, as_json=as_json)


@import_group.command(epilog="Example: feedback-platform import events ./events.ndjson.gz")
@_PATH
@with_settings
@with_json
def events(path: Path, settings: Settings, as_json: bool) -> None:
    """Canonical events, a JSON object a line; plain, .gz or .zst."""
    _import(settings, read_events, path, as_json=as_json)


def _import(
    settings: Settings, read: Callable[[Path], ImportedEvents], path: Path, *, as_json: bool
) -> None:
    with progress_bar("Importing") as (report, detail):
        detail(f"reading {path}")
        imported = read(path)
        detail("writing")
        summary = import_events(
            Lake(settings.lake_url), imported, now=datetime.now(UTC), progress=report
        )
    if summary.was_imported_already:
        click.echo(
            f"This data was imported on {summary.received_at:%Y-%m-%d %H:%M} UTC; "
            "nothing was added.",
            err=True,
        )
    outcome = {
        "name": summary.name,
        "events": summary.events,
        **summary.counts,
        "already_imported": summary.was_imported_already,
        "next": "feedback-platform process",
    }
    show(outcome, as_json=as_json)
