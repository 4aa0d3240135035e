"""simulate: a product's raw events, or a whole story that the platform lives through."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import click
import orjson

from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.progress import progress_bar
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation

_DAYS: Final = 28
_INDENT: Final = " " * 4


@click.command(
    name="simulate",
    epilog="Example: feedback-platform simulate docs/scenario.toml --data-dir ./scenario",
)
@click.argument("scenario", type=click.Path(path_type=Path, dir_okay=False), required=False)
@with_settings
@with_json
@click.option("--users", type=click.IntRange(min=1), help="[default: 2000]")
@click.option("--days", type=click.IntRange(min=1), help="[default: 28]")
@click.option("--seed", type=click.IntRange(min=0), help="[default: 1, or the scenario's]")
@click.option("--first-day", type=click.DateTime(["%Y-%m-%d"]), help="[default: DAYS ago]")
@click.option("--taste-shift-day", type=click.IntRange(min=1), help="From then on tastes differ.")
@click.pass_context
def simulate_command(
    context: click.Context,
    settings: Settings,
    as_json: bool,
    scenario: Path | None,
    users: int | None,
    days: int | None,
    seed: int | None,
    first_day: datetime | None,
    taste_shift_day: int | None,
) -> None:
    """Write the raw events of a simulated SaaS product, or live through SCENARIO.

    With SCENARIO, a TOML file, simulated users ask the real API for lists and react to them, in
    virtual time, and what the platform finds out is held against the truth. It needs a data
    directory of its own. The exit code is 0 only when all findings hold.
    """
    if scenario is not None:
        if any(each is not None for each in (users, days, first_day, taste_shift_day)):
            raise click.UsageError("With SCENARIO, its file says everything but --seed.")
        _live_through(context, settings, scenario, seed, as_json=as_json)
        return
    count = days or _DAYS
    parameters = SimulationParameters(
        users=users or SimulationParameters.users,
        days=count,
        seed=SimulationParameters.seed if seed is None else seed,
        first_day=first_day.date() if first_day else _today() - timedelta(days=count),
        taste_shift_day=taste_shift_day,
    )
    with progress_bar("Simulating") as (report, _):
        written = write_simulation(Lake(settings.lake_url), simulate(parameters), progress=report)
    outcome = {
        "objects": written.objects,
        "already_there": written.already_there,
        "events": written.events,
        "next": "feedback-platform process",
    }
    show(outcome, as_json=as_json)


def _live_through(
    context: click.Context, settings: Settings, path: Path, seed: int | None, *, as_json: bool
) -> None:
    # It brings the server and the jobs, which takes seconds.
    from feedback_platform.cli.scenario_run import live_through  # noqa: PLC0415
    from feedback_platform.scenario.definition_file import load_scenario  # noqa: PLC0415

    scenario = load_scenario(path)
    scenario = scenario if seed is None else replace(scenario, seed=seed)
    _check_place(settings, scenario.parameters.end)
    found, facts = live_through(scenario, settings)
    held = all(each.is_held for each in found)
    if as_json:
        click.echo(
            orjson.dumps({**facts, "findings": [asdict(each) for each in found], "held": held})
        )
    else:
        for each in found:
            click.echo(f"{'held    ' if each.is_held else 'NOT HELD'}  {each.name}")
            click.echo(f"{_INDENT}expected  {each.expected}")
            click.echo(f"{_INDENT}found     {each.found}")
        click.echo("")
        show(facts, as_json=False)
    context.exit(0 if held else 1)


def _check_place(settings: Settings, ends: datetime) -> None:
    """Refuse to tell a story where another one is kept, or one that has not happened yet."""
    if list_raw_objects(Lake(settings.lake_url)):
        raise InvalidInputError(
            f"The lake {settings.lake_url} holds events already; a scenario needs an empty one: "
            "--data-dir ./scenario"
        )
    if ends > datetime.now(UTC):
        raise InvalidInputError(
            f"The scenario ends on {ends:%Y-%m-%d}, which is to come; give it an earlier first_day."
        )


def _today() -> date:
    return datetime.now(UTC).date()
