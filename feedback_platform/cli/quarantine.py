"""quarantine: the events that were refused, and taking them again after a correction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final, TypeVar

import click
import orjson
import polars as pl

from feedback_platform.cleaning.configuration import load_rules
from feedback_platform.cleaning.engines.selection import chosen_engine
from feedback_platform.cleaning.quarantine import (
    QuarantineFilter,
    QuarantineListing,
    list_quarantine,
)
from feedback_platform.cleaning.replay import ReplayOutcome, replay_quarantine
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.progress import progress_bar
from feedback_platform.errors import InvalidInputError, PermanentError
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

_LONGEST_QUOTE: Final = 160
_LISTED: Final = 20
_NAMED_OBJECTS: Final = 5

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _with_filter(command: _Command) -> _Command:
    day = click.DateTime(["%Y-%m-%d"])
    for option in (
        click.option("--to", "last", type=day, help="The last UTC day of reception."),
        click.option("--from", "first", type=day, help="The first UTC day of reception."),
        click.option("--source", help="Only from this source, such as collector or firehose."),
        click.option("--reason", help="Only with this reason, such as unmapped_event."),
    ):
        command = option(command)
    return command


@click.group(name="quarantine")
def quarantine() -> None:
    """Show the events that were refused, and take them again after a correction."""


@quarantine.command(
    name="list", epilog="Example: feedback-platform quarantine list --reason unmapped_event"
)
@_with_filter
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only this UTC day of reception.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_LISTED,
    show_default=True,
    help="Events to show; all are counted.",
)
@with_settings
@with_json
def list_command(
    settings: Settings,
    as_json: bool,
    reason: str | None,
    source: str | None,
    first: datetime | None,
    last: datetime | None,
    day: datetime | None,
    limit: int,
) -> None:
    """Show what lies in quarantine, newest first, and how much of it for which reason."""
    if day is not None and (first or last):
        raise click.UsageError("--day is a period of its own; leave --from and --to out.")
    chosen = _filter(reason, source, day or first, day or last)
    listing = list_quarantine(Lake(settings.lake_url), chosen, limit=limit)
    if as_json:
        click.echo(orjson.dumps(_as_json(listing)))
    else:
        _print(listing)


@quarantine.command(epilog="Example: feedback-platform quarantine replay --reason unmapped_event")
@_with_filter
@with_settings
@with_json
def replay(
    settings: Settings,
    as_json: bool,
    reason: str | None,
    source: str | None,
    first: datetime | None,
    last: datetime | None,
) -> None:
    """Take quarantined events again, with the present contract and mapping.

    Lines are counted: replayed = now clean + still quarantined + duplicates + unreadable. Those of
    a raw object that cannot be read any more stay in quarantine, and the exit code is 1.
    """
    chosen = _filter(reason, source, first, last)
    mapping = load_mapping(settings.event_mapping)
    rules = load_rules(settings.cleaning_rules)
    engine = chosen_engine(settings)
    with progress_bar("Replaying") as (report, _):
        outcome = replay_quarantine(
            Lake(settings.lake_url),
            rules,
            chosen,
            mapping=mapping,
            engine=engine,
            progress=report,
        )
    batches = len(outcome.cleaning.manifests)
    values = {
        "replayed": outcome.replayed,
        "now_clean": outcome.now_clean,
        "still_quarantined": outcome.still_quarantined,
        "duplicates": outcome.duplicates,
        "unreadable": outcome.unreadable,
        "raw_objects": outcome.objects,
        "batches": batches,
        "next": _next_step(outcome, batches),
    }
    show(values, as_json=as_json)
    if outcome.unreadable_objects:
        raise PermanentError(_unreadable(outcome))


def _next_step(outcome: ReplayOutcome, batches: int) -> str:
    if batches:
        return "feedback-platform process"
    if not outcome.objects:
        return "nothing in quarantine is like that; `quarantine list` counts what is, by reason"
    return "nothing changed"


def _unreadable(outcome: ReplayOutcome) -> str:
    reasons = list(outcome.unreadable_objects.values())
    named = " ".join(reasons[:_NAMED_OBJECTS])
    others = len(reasons) - _NAMED_OBJECTS
    return (
        f"Of {outcome.objects:,} raw objects {len(reasons):,} could not be read again; what was "
        f"made of those stays as it is, {outcome.unreadable:,} lines of it in quarantine. {named}"
        + (f" And {others:,} others." if others > 0 else "")
    )


def _filter(
    reason: str | None, source: str | None, first: datetime | None, last: datetime | None
) -> QuarantineFilter:
    if first is not None and last is not None and last < first:
        raise InvalidInputError(
            f"The period from {first:%Y-%m-%d} to {last:%Y-%m-%d} ends before it begins."
        )
    return QuarantineFilter(reason, source, _date(first), _date(last))


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _as_json(listing: QuarantineListing) -> dict[str, Any]:
    rows = listing.rows.with_columns(
        pl.Series("raw", [_decoded(raw) for raw in listing.rows["raw"]], dtype=pl.String)
    )
    return {
        "total": listing.total,
        "reasons": dict(listing.counts.iter_rows()),
        "events": rows.to_dicts(),
    }


def _print(listing: QuarantineListing) -> None:
    for row in listing.rows.iter_rows(named=True):
        facts = [row["reason"], row["field"] or "-", row["source"]]
        click.echo(
            f"{row['received_at']:%Y-%m-%d %H:%M:%S}  {'  '.join(map(_printable, facts))}  "
            f"{_printable(row['raw_object'])} line {row['raw_row']}"
        )
        click.echo(f"    {_quoted(row['raw'])}")
    if listing.rows.height:
        click.echo()
    shown = f", {listing.rows.height:,} shown" if listing.rows.height < listing.total else ""
    click.echo(f"{listing.total:,} in quarantine{shown}")
    for reason, events in listing.counts.iter_rows():
        click.echo(f"{events:>9,}  {_printable(reason)}")


def _quoted(raw: bytes) -> str:
    text = _decoded(raw[: 4 * _LONGEST_QUOTE])
    short = text[:_LONGEST_QUOTE]
    return _printable(short) + ("…" if len(text) > len(short) or len(raw) > len(short) * 4 else "")


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")


def _printable(text: str) -> str:
    """Return a text that no terminal takes for a command."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
