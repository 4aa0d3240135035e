"""experiments start and stop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from feedback_platform.cli.authors import author_of
from feedback_platform.cli.experiment_looks import looks_now
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Lever
from feedback_platform.experiments.definitions_file import load_experiments
from feedback_platform.experiments.installation import InstalledExperiments
from feedback_platform.experiments.levers import CHAMPION
from feedback_platform.experiments.stopping import Ending, known
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

_BY = click.option("--by", help="Who, such as rule:low-ctr.  [default: person:<you>]")


@click.command(
    epilog="Example: feedback-platform experiments start docs/experiments.toml cards-at-home"
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("key")
@click.option("--reason", help="Why; kept in the history.  [default: its hypothesis]")
@_BY
@click.option(
    "--at",
    metavar="TIME",
    help="From when on exposures count, where events tell of another time.  [default: now]",
)
@with_settings
@with_json
def start(
    settings: Settings,
    as_json: bool,
    at: str | None,
    by: str | None,
    reason: str | None,
    key: str,
    file: Path,
) -> None:
    """Start the experiment KEY of FILE as it is defined now; serving processes follow at once.

    What the file says later changes nothing: another definition is another experiment.
    """
    programme = load_experiments(file)
    defined = programme.experiments.get(key)
    author = author_of(by, reason or (defined.hypothesis if defined else "to try it"))
    started = _experiments(settings).start(programme, key, author, _time("--at", at))
    experiment = started.experiment
    outcome = {
        "experiment": key,
        "outcome": "started",
        "varies": f"{experiment.lever.value} {experiment.subject}",
        "variants": ", ".join(f"{name} {share:g} %" for name, share in experiment.split.items()),
        "started_at": started.at.isoformat(timespec="seconds"),
        "ends_at": started.ends_at.isoformat(timespec="seconds"),
    }
    show(outcome, as_json=as_json)


@click.command(
    epilog="Example: feedback-platform experiments stop cards-at-home --ship cards "
    '--reason "more buy, nobody leaves earlier"'
)
@click.argument("key")
@click.option("--ship", default="", metavar="VARIANT", help="What everybody gets from now on.")
@click.option(
    "--override",
    default="",
    metavar="REASON",
    help="Why it ships although what was found does not say so; kept in the history.",
)
@click.option("--reason", required=True, help="Why; kept in the history.")
@_BY
@click.option(
    "--at",
    metavar="TIME",
    help="Until when exposures count, where events tell of another time.  [default: now]",
)
@with_settings
@with_json
def stop(
    settings: Settings,
    as_json: bool,
    at: str | None,
    by: str | None,
    reason: str,
    override: str,
    ship: str,
    key: str,
) -> None:
    """End the experiment KEY: nobody is assigned any more. Or ship a variant of one that is over.

    Without --ship everybody gets what they would without the experiment. A variant ships where what
    was found says so, or with --override.
    """
    experiments = _experiments(settings)
    current = experiments.log.refresh()
    started = known(current, key)
    looks = looks_now(settings, started, current.stopped.get(key)) if ship else ()
    until = _time("--at", at) or datetime.now(UTC)
    ending = Ending(author_of(by, reason), until, ship, override)
    after = experiments.stop(key, looks[-1] if looks else None, ending)
    stopped = after.stopped[key]
    outcome = {
        "experiment": key,
        "outcome": "is over",
        "decision": stopped.decision,
        "shipped": after.shipments.get(key, "nothing"),
        "stopped_at": stopped.at.isoformat(timespec="seconds"),
        "reason": stopped.author.reason,
    }
    show(outcome, as_json=as_json)
    version = started.experiment.variants[ship] if ship else CHAMPION
    if started.experiment.lever is Lever.MODEL and version != CHAMPION and not as_json:
        click.echo(
            "The lists are made anew by a sensor, or by: feedback-platform models promote "
            f"{started.experiment.subject} {version} --reason …"
        )


def _experiments(settings: Settings) -> InstalledExperiments:
    return InstalledExperiments(Lake(settings.lake_url), lambda: datetime.now(UTC))


def _time(option: str, text: str | None) -> datetime | None:
    """Return a time as a person writes it; UTC where it does not say."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{option} is {text!r}; it accepts a day or a time in UTC, such as 2026-03-01 or "
            "2026-03-01T12:30."
        ) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
