"""flags: what the product's switches are, for whom, and who changed them why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson

from feedback_platform.adjustment.flags.changes import with_default, with_rollout, with_state
from feedback_platform.adjustment.flags.context import (
    InvalidContextError,
    TargetingKeyMissingError,
    context_of,
)
from feedback_platform.adjustment.flags.definition import EVERYBODY, Flag
from feedback_platform.adjustment.flags.definitions_file import load_definitions
from feedback_platform.adjustment.flags.evaluation import CompiledFlag
from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.adjustment.flags.flags import Flags, known
from feedback_platform.cli.authors import author_of
from feedback_platform.cli.flag_descriptions import (
    described,
    differences,
    revision_row,
    state,
)
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform.settings import Settings

_WIDTH: Final = 100
_INDENT: Final = " " * 4

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _with_author(command: _Command) -> _Command:
    for option in (
        click.option("--by", help="Who, such as rule:low-ctr.  [default: person:<you>]"),
        click.option("--reason", required=True, help="Why; kept in the history."),
    ):
        command = option(command)
    return command


@click.group(name="flags")
def flags() -> None:
    """Define feature flags, change them, and see who did and why."""


@flags.command(
    name="apply", epilog='Example: feedback-platform flags apply flags.toml --reason "spring"'
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--overwrite", is_flag=True, help="Also flags that others changed since the file was applied."
)
@_with_author
@with_settings
@with_json
def apply_command(
    settings: Settings, as_json: bool, reason: str, by: str | None, overwrite: bool, file: Path
) -> None:
    """Take the definitions of FILE over, all at once.

    A flag whose definition in FILE is as it was at the last time stays as rules, people and
    experiments made it since. Flags that FILE does not name stay, too.
    """
    definitions = load_definitions(file)
    applied = _flags(settings).apply(definitions, author_of(by, reason), is_overwriting=overwrite)
    groups = vars(applied)
    if as_json:
        show(groups, as_json=True)
        return
    show({name: ", ".join(group) or "none" for name, group in groups.items()}, as_json=False)
    if applied.kept:
        click.echo("Kept flags were changed by others since; --overwrite lets the file count.")


@flags.command(name="list", epilog="Example: feedback-platform flags list")
@with_settings
@with_json
def list_command(settings: Settings, as_json: bool) -> None:
    """Show every flag with its state, its default and how many rules it has."""
    found = _current(_flags(settings))
    if as_json:
        click.echo(orjson.dumps([described(each) for each in found.flags.values()]))
        return
    if not found.flags:
        click.echo("no flags yet; `feedback-platform flags apply FILE` brings them")
        return
    width = max(len(key) for key in ("flag", *found.flags))
    click.echo(f"{'flag':<{width}}  state     type     rules  revision  default")
    for key, each in found.flags.items():
        flag = each.flag
        click.echo(
            f"{key:<{width}}  {state(flag):<8}  {flag.type:<7}  {len(flag.rules):>5}  "
            f"{each.revision:>8}  {flag.default}"
        )


@flags.command(name="show", epilog="Example: feedback-platform flags show list-layout")
@click.argument("key")
@with_settings
@with_json
def show_command(settings: Settings, as_json: bool, key: str) -> None:
    """Show the definition of KEY as it is now."""
    shown = described(_known(_current(_flags(settings)), key))
    if as_json:
        click.echo(orjson.dumps(shown))
        return
    click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))


@flags.command(
    name="set",
    epilog="Example: feedback-platform flags set list-layout --rollout cards=20 "
    '--reason "the first week went well"',
)
@click.argument("key")
@click.option("--default", metavar="VARIANT", help="What those get for whom no rule holds.")
@click.option("--enable/--disable", "is_enabled", default=None, help="Disabled, it has no value.")
@click.option(
    "--rollout", metavar="VARIANT=PERCENT", help="How many of all get a variant; more keep it."
)
@_with_author
@with_settings
@with_json
def set_command(
    settings: Settings,
    as_json: bool,
    reason: str,
    by: str | None,
    rollout: str | None,
    is_enabled: bool | None,
    default: str | None,
    key: str,
) -> None:
    """Change KEY; serving processes have it about a second later."""
    edits = _edits(default, is_enabled=is_enabled, rollout=rollout)

    def edit(flag: Flag) -> Flag:
        for each in edits:
            flag = each(flag)
        return flag

    current = _flags(settings)
    changes = current.edit(key, edit, author_of(by, reason))
    now = _known(current.refresh(), key)
    outcome = {
        "flag": key,
        "outcome": "changed" if changes else "was so already",
        "revision": now.revision,
        "state": state(now.flag),
        "default": now.flag.default,
    }
    show(outcome, as_json=as_json)


@flags.command(
    name="remove", epilog='Example: feedback-platform flags remove list-layout --reason "decided"'
)
@click.argument("key")
@_with_author
@with_settings
@with_json
def remove(settings: Settings, as_json: bool, reason: str, by: str | None, key: str) -> None:
    """Remove KEY; whoever asks for it gets what stands in the program. Its history stays."""

    def decide(found: Mapping[str, Flag]) -> dict[str, Flag | None]:
        known(found, key)
        return {key: None}

    _flags(settings).change(decide, author_of(by, reason))
    show({"flag": key, "outcome": "removed"}, as_json=as_json)


@flags.command(name="history", epilog="Example: feedback-platform flags history list-layout")
@click.argument("key")
@with_settings
@with_json
def history(settings: Settings, as_json: bool, key: str) -> None:
    """Show who changed KEY when and why, and from what to what; oldest first."""
    current = _flags(settings)
    revisions = current.history(key)
    if not revisions:
        _known(current.refresh(), key)
    if as_json:
        click.echo(orjson.dumps([revision_row(each) for each in revisions]))
        return
    for each in revisions:
        click.echo(f"{each.revision:>3}  {each.author.at:%Y-%m-%d %H:%M} UTC  {each.author.by}")
        click.echo(click.wrap_text(each.author.reason, _WIDTH, _INDENT, _INDENT))
        for name, (before, after) in differences(each).items():
            click.echo(f"{_INDENT}{name}: {before} → {after}")


@flags.command(
    name="evaluate",
    epilog="Example: feedback-platform flags evaluate list-layout "
    """--context '{"targetingKey": "user-1", "country": "AT"}'""",
)
@click.argument("key")
@click.option("--context", "text", default="{}", metavar="JSON", help="For whom.  [default: {}]")
@with_settings
@with_json
def evaluate(settings: Settings, as_json: bool, text: str, key: str) -> None:
    """Show what KEY is for somebody, and why; segment and consent are the published ones."""
    users = PublishedUsers(settings.published_path)
    asyncio.run(users.look())
    try:
        context = context_of(_context(text), users)
        found = _known(_current(_flags(settings)), key).evaluate(context)
    except (InvalidContextError, TargetingKeyMissingError) as error:
        raise InvalidInputError(f"--context: {error}") from error
    outcome = {
        "flag": key,
        "value": found.value,
        "variant": found.variant or None,
        "reason": str(found.reason),
        **found.metadata,
        "segment": context.attributes["segment"],
        "personalisation": context.is_personalised,
    }
    if not as_json:
        outcome["value"] = orjson.dumps(found.value).decode()
    show(outcome, as_json=as_json)


def _flags(settings: Settings) -> Flags:
    return Flags(Lake(settings.lake_url))


def _current(found: Flags) -> FlagSet:
    """Return the flags as they are now, and warn of what could not be read."""
    current = found.refresh()
    for problem in current.problems:
        click.echo(f"Warning: {problem.rstrip('.')}. It does not count.", err=True)
    return current


def _known(found: FlagSet, key: str) -> CompiledFlag:
    known({name: each.flag for name, each in found.flags.items()}, key)
    return found.flags[key]


def _edits(
    default: str | None, *, is_enabled: bool | None, rollout: str | None
) -> list[Callable[[Flag], Flag]]:
    edits: list[Callable[[Flag], Flag]] = []
    if default is not None:
        edits.append(lambda flag: with_default(flag, default))
    if is_enabled is not None:
        edits.append(lambda flag: with_state(flag, is_enabled=is_enabled))
    if rollout is not None:
        variant, percentage = _rollout(rollout)
        edits.append(lambda flag: with_rollout(flag, variant, percentage))
    if not edits:
        raise InvalidInputError(
            "Say what to change: --default VARIANT, --enable, --disable or "
            "--rollout VARIANT=PERCENT."
        )
    return edits


def _rollout(text: str) -> tuple[str, float]:
    variant, _, number = text.rpartition("=")
    try:
        percentage = float(number.removesuffix("%"))
    except ValueError:
        percentage = -1
    if not (variant and 0 <= percentage <= EVERYBODY):
        raise InvalidInputError(
            f"--rollout is {text!r}; it accepts a variant and a percentage, such as cards=20."
        )
    return variant, percentage


def _context(text: str) -> Mapping[str, Any]:
    try:
        context = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"--context is not JSON: {error}.") from error
    if not isinstance(context, dict):
        raise InvalidInputError(
            """--context is no JSON object; an example: '{"targetingKey": "user-1"}'."""
        )
    return context
