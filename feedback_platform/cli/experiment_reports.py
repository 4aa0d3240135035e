"""experiments status and report."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson

from feedback_platform.cli.experiment_looks import assigned_now, looks_now
from feedback_platform.cli.options import with_json, with_settings
from feedback_platform.errors import PermanentError
from feedback_platform.experiments.looks import read_all_looks
from feedback_platform.experiments.report import Report
from feedback_platform.experiments.report_page import page_of
from feedback_platform.experiments.report_text import text_of
from feedback_platform.experiments.result_tables import experiments_table
from feedback_platform.experiments.running import ExperimentLog, RunningExperiments
from feedback_platform.experiments.stopping import known
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

_WIDTH: Final = 100
_INDENT: Final = " " * 4


@click.command(epilog="Example: feedback-platform experiments status")
@click.argument("key", required=False)
@with_settings
@with_json
def status(settings: Settings, as_json: bool, key: str | None) -> None:
    """Show the experiments that were started, or KEY alone, and what was found last; newest first.

    What was found is of the last run; `experiments report` looks anew.
    """
    lake = Lake(settings.lake_url)
    experiments = _current(lake)
    if key is not None:
        known(experiments, key)
    table = experiments_table(experiments, read_all_looks(lake, experiments.started))
    rows = [row for row in table.to_dicts() if key in {None, row["experiment_id"]}][::-1]
    for row in rows:
        row["variants"] = orjson.loads(row["variants"])
    if as_json:
        click.echo(orjson.dumps(rows))
        return
    if not rows:
        click.echo("No experiment was started yet; `feedback-platform experiments start` does.")
    for row in rows:
        _print_row(row)


@click.command(
    epilog="Example: feedback-platform experiments report cards-at-home --html report.html"
)
@click.argument("key")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page with plots, which needs nothing but itself.",
)
@with_settings
@with_json
def report(settings: Settings, as_json: bool, html: Path | None, key: str) -> None:
    """Show what the experiment KEY has found, and what follows, by what is published now."""
    experiments = _current(Lake(settings.lake_url))
    started, stopped = known(experiments, key), experiments.stopped.get(key)
    found = Report(
        started=started,
        stopped=stopped,
        shipped=experiments.shipments.get(key, ""),
        looks=looks_now(settings, started, stopped),
        assigned=assigned_now(settings, started, stopped),
    )
    if html is not None:
        try:
            html.write_text(page_of(found), encoding="utf-8")
        except OSError as error:
            raise PermanentError(f"{html} cannot be written: {error.strerror}.") from error
    if as_json:
        click.echo(orjson.dumps(found.as_json()))
        return
    click.echo(text_of(found))
    if html is not None:
        click.echo(f"\nThe page is {html}.")


def _current(lake: Lake) -> RunningExperiments:
    """Return the experiments as they are now, and warn of what could not be read."""
    current = ExperimentLog(lake).refresh()
    for problem in current.problems:
        click.echo(f"Warning: {problem.rstrip('.')}. It does not count.", err=True)
    return current


def _print_row(row: dict[str, Any]) -> None:
    until = row["stopped_at"] or row["ends_at"]
    shipped = f", {row['shipped']} shipped" if row["shipped"] else ""
    click.echo(
        f"{row['experiment_id']}  {row['status']}  {row['started_at']:%Y-%m-%d %H:%M} to "
        f"{until:%Y-%m-%d %H:%M} UTC"
    )
    arms = ", ".join(f"{name} {arm['users']:,}" for name, arm in row["variants"].items())
    click.echo(f"{_INDENT}{row['lever']} {row['subject']}: {arms} users")
    decision = f"{row['decision']}{shipped}: {row['reason']}"
    if row["read_at"] is not None and row["stopped_at"] is None:
        decision += f" (as of {row['read_at']:%Y-%m-%d %H:%M})"
    click.echo(click.wrap_text(decision, _WIDTH, _INDENT, _INDENT))
