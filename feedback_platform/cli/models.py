"""models: which versions there are and why, and which of them is in use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import click
import orjson
import polars as pl

from feedback_platform import durations
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.running import JobRunner
from feedback_platform.errors import FeedbackPlatformError, InvalidInputError, PermanentError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, freezes, registry
from feedback_platform.learning.freezes import Freeze, refuse_while_frozen, standing
from feedback_platform.learning.training import MODELS, RECOMMENDER, SEGMENTS
from feedback_platform.learning.version_table import versions
from feedback_platform.settings import Settings
from feedback_platform.warehouse.published import published_through

_MODEL: Final = click.Choice(MODELS)
_WIDTH: Final = 100
_INDENT: Final = " " * 13
_JSON_COLUMNS: Final = ("metrics", "parameters", "decision")
# The figure by which versions of a model are compared at a glance.
_FIGURES: Final = {RECOMMENDER: "ndcg_at_10", SEGMENTS: "prediction_strength"}


@click.group(name="models")
def models() -> None:
    """Show the versions of the models, and choose which one is in use."""


@models.command(name="list", epilog="Example: feedback-platform models list --model recommender")
@click.option("--model", type=_MODEL, help="Only the versions of this model.")
@with_settings
@with_json
def list_command(settings: Settings, as_json: bool, model: str | None) -> None:
    """Show every version with its figure, what was decided about it, and why; newest first.

    With --json, also what each was made from, its parameters, metrics and the gate's evidence.
    """
    lake = Lake(settings.lake_url)
    tables = {name: versions(lake, name) for name in ([model] if model else MODELS)}
    if as_json:
        rows = [row for table in tables.values() for row in table.reverse().to_dicts()]
        click.echo(orjson.dumps([_as_json(row) for row in rows]))
        return
    for name, table in tables.items():
        _print(name, table)
        warning = champions.in_use(lake, name).warning
        if warning:
            click.echo(f"Warning: {warning}", err=True)
        frozen = standing(lake, name, datetime.now(UTC))
        if frozen is not None:
            click.echo(click.wrap_text(str(frozen), _WIDTH))


@models.command(
    epilog="Example: feedback-platform models promote recommender "
    '20260301T030000000Z-3fa9c1 --reason "looked at the lists"'
)
@click.argument("model", type=_MODEL)
@click.argument("version")
@click.option("--reason", required=True, help="Why; shown beside the version.")
@with_settings
@with_json
def promote(settings: Settings, as_json: bool, model: str, version: str, reason: str) -> None:
    """Make VERSION the champion of MODEL, whatever the gate said, and publish what it makes.

    Nothing is trained. Promoting the champion again publishes once more and changes nothing else.
    While promotion is frozen, end that first.
    """
    lake = _ready(settings, reason)
    champions.check_known(lake, model, version)
    refuse_while_frozen(lake, model, version, datetime.now(UTC))
    registry.read_intact(lake, model, version)
    _publish(settings, model, {"promote": version, "reason": reason}, as_json=as_json)


@models.command(
    epilog='Example: feedback-platform models rollback recommender --reason "complaints"'
)
@click.argument("model", type=_MODEL)
@click.option("--reason", required=True, help="Why; shown beside the version.")
@click.option(
    "--from", "leaving", help="Only while this version is the champion; safe to run again."
)
@with_settings
@with_json
def rollback(
    settings: Settings, as_json: bool, model: str, reason: str, leaving: str | None
) -> None:
    """Make the champion before this one the champion of MODEL again, and publish what it makes.

    Nothing is trained. Each rollback leads further back.
    """
    lake = _ready(settings, reason)
    champions.planned_rollback(lake, model, leaving or "")
    asked = {"roll_back": True, "roll_back_from": leaving or "", "reason": reason}
    _publish(settings, model, asked, as_json=as_json)


@models.command(
    epilog='Example: feedback-platform models freeze recommender --for "3 days" --reason "sale"'
)
@click.argument("model", type=_MODEL)
@click.option("--for", "length", required=True, help="For how long, such as '12 hours'.")
@click.option("--reason", required=True, help="Why; the gate says so.")
@with_settings
@with_json
def freeze(settings: Settings, as_json: bool, model: str, length: str, reason: str) -> None:
    """Promote no version of MODEL for a while, whatever the gate finds; trainings go on."""
    if not reason.strip():
        raise InvalidInputError("Say why, with --reason: it is shown beside the versions.")
    lasts = durations.duration(length)
    if lasts is None:
        raise InvalidInputError(f"--for is {length!r}; it accepts {durations.ACCEPTED}.")
    now = datetime.now(UTC)
    wanted = Freeze(f"person {now.isoformat()}", now, now + lasts, reason.strip())
    freezes.freeze(Lake(settings.lake_url), model, wanted)
    show({"model": model, "until": wanted.until.isoformat(), "reason": reason}, as_json=as_json)


@models.command(
    epilog='Example: feedback-platform models unfreeze recommender --reason "client repaired"'
)
@click.argument("model", type=_MODEL)
@click.option("--reason", required=True, help="Why; kept beside the freeze.")
@with_settings
@with_json
def unfreeze(settings: Settings, as_json: bool, model: str, reason: str) -> None:
    """End every freeze of MODEL now; the next training may promote again."""
    if not reason.strip():
        raise InvalidInputError("Say why, with --reason: it is kept beside the freeze.")
    lake = Lake(settings.lake_url)
    ended = freezes.unfreeze(lake, model, at=datetime.now(UTC), reason=reason.strip())
    reasons = " ".join(each.reason for each in ended) or "none"
    show({"model": model, "ended": len(ended), "had_been_frozen_because": reasons}, as_json=as_json)


def _ready(settings: Settings, reason: str) -> Lake:
    """Return the lake, after a look at what a run would find out seconds later."""
    if not reason.strip():
        raise InvalidInputError("Say why, with --reason: it is shown beside the version.")
    # Lists are made of what is published; where nothing is, this says what to do.
    if published_through(settings.published_path) == 0:
        raise InvalidInputError(
            f"Nothing is published at {settings.published_path} yet, so there is nobody to "
            "recommend anything to. Run `feedback-platform process` first."
        )
    return Lake(settings.lake_url)


def _publish(settings: Settings, model: str, asked: dict[str, Any], *, as_json: bool) -> None:
    lake = Lake(settings.lake_url)
    former = _champion(lake, model)
    try:
        seen = JobRunner(settings).publish_models({"model": model, **asked})
    except FeedbackPlatformError as error:
        now = _champion(lake, model)
        if now == former:
            raise
        raise PermanentError(
            f"{now} is the champion of the model {model} now, but what it makes is not published: "
            f"{error} Then publish it: feedback-platform models promote {model} {now} --reason …"
        ) from error
    now = _champion(lake, model)
    outcome = {
        "model": model,
        "champion": now,
        "before": former or "none",
        "outcome": "was the champion already" if now == former else "is the champion",
        "recommendations": seen["ml/recommendations/dagster/row_count"],
        "published": seen["published/feedback/database"],
    }
    show(outcome, as_json=as_json)


def _champion(lake: Lake, model: str) -> str | None:
    promotions = champions.history(lake, model)
    return promotions[-1].version if promotions else None


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    parsed = {name: json.loads(row[name]) if row[name] else None for name in _JSON_COLUMNS}
    return {**row, **parsed}


def _print(name: str, table: pl.DataFrame) -> None:
    if table.is_empty():
        click.echo(f"{name}: no version yet; run `feedback-platform train`")
        return
    figure = _FIGURES[name]
    width = max(len(version) for version in table["version"])
    click.echo(name)
    heads = ("", "version", "trained (UTC)", "trigger", figure)
    click.echo("  {:<9}  {:<{width}}  {:<16}  {:<8}  {}".format(*heads, width=width).rstrip())
    for row in table.reverse().iter_rows(named=True):
        value = json.loads(row["metrics"]).get(figure)
        click.echo(
            f"  {row['status']:<9}  {row['version']:<{width}}  {row['trained_at']:%Y-%m-%d %H:%M}  "
            f"{row['trigger']:<8}  {'none' if value is None else format(value, '.4f')}"
        )
        click.echo(click.wrap_text(row["reason"], _WIDTH, _INDENT, _INDENT))
