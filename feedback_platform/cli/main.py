"""The command group; a command's module is imported when it is used, so `--help` is quick."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from feedback_platform import __version__
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.full_disk import is_of_a_full_disk

_COMMANDS: Final = {
    "demo": ("pipeline", "demo"),
    "dev": ("development", "dev"),
    "dagster": ("dagster_servers", "dagster_group"),
    "serve": ("serving", "serve"),
    "dashboard": ("dashboard", "dashboard"),
    "process": ("pipeline", "process"),
    "reprocess": ("reprocessing", "reprocess"),
    "train": ("pipeline", "train"),
    "import": ("events", "import_group"),
    "ingest": ("ingest", "ingest_group"),
    "simulate": ("simulating", "simulate_command"),
    "contract": ("contract", "contract"),
    "models": ("models", "models"),
    "flags": ("flags", "flags"),
    "alerts": ("alerts", "alerts"),
    "adjustments": ("adjustments", "adjustments"),
    "signals": ("signals", "signals"),
    "experiments": ("experiments", "experiments"),
    "quarantine": ("quarantine", "quarantine"),
    "users": ("users", "users"),
    "erase": ("erasure", "erase"),
    "doctor": ("doctor", "doctor"),
}
_FULL_DISK: Final = (
    "The disk is full. Nothing that was finished is lost: make room and run the same command again."
)


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command: click.Command = getattr(
            importlib.import_module(f"feedback_platform.cli.{module}"), attribute
        )
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feedback-platform")
def cli() -> None:
    """Personalised feedback loops: collect, clean, score, learn, measure."""


def main() -> None:
    """Run the command; a person's mistake, or a full disk, is a line on stderr and exit code 1."""
    try:
        cli(prog_name="feedback-platform", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; what was finished is kept.", err=True)
        sys.exit(130)
    except FeedbackPlatformError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if not is_of_a_full_disk(error):
            raise
        click.echo(f"Error: {_FULL_DISK}", err=True)
        sys.exit(1)
