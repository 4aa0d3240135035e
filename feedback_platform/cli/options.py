"""The options that commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from feedback_platform.settings import Settings, load_settings

_Command = TypeVar("_Command", bound=Callable[..., Any])


def with_settings(command: _Command) -> _Command:
    """Add `--data-dir` to a command; it gets the settings as `settings`."""
    return click.option(
        "--data-dir",
        "settings",
        type=click.Path(path_type=Path, file_okay=False),
        callback=_to_settings,
        help="Where everything is kept. [default: FEEDBACK_DATA_DIR, or ./data]",
    )(command)


def with_json(command: _Command) -> _Command:
    """Add `--json` to a command; it gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON to read by program.")(
        command
    )


def show(values: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the outcome of a command, a line a value or as one JSON object."""
    if as_json:
        click.echo(json.dumps(values, default=str))
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
        click.echo(f"{name.replace('_', ' '):<{width}}  {text}")


def _to_settings(
    _context: click.Context, _parameter: click.Parameter, value: Path | None
) -> Settings:
    return load_settings(value)
