"""serve: the API, on its own."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime

import click

from feedback_platform.adjustment.flags.definitions_file import (
    load_definitions,
    shipped_definitions,
)
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.rules.rules_file import load_trigger_rules
from feedback_platform.cleaning.configuration import load_rules
from feedback_platform.cli.options import with_settings
from feedback_platform.errors import InvalidInputError, TransientError
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.lake.store import Lake
from feedback_platform.learning.gate_rules import load_gate_rules
from feedback_platform.monitoring.monitoring_rules import load_monitoring_rules
from feedback_platform.serving.demo.switch import serves_demo
from feedback_platform.serving.server import (
    ServerOptions,
    bound_socket,
    is_loopback,
    leave,
    run_server,
    signals_of,
    web_address,
)
from feedback_platform.settings import Settings


@click.command(epilog="Example: feedback-platform serve --port 8000 --workers 2")
@with_settings
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
@click.option(
    "--drain-seconds",
    type=click.FloatRange(0, 600),
    default=0.0,
    show_default=True,
    help="Take requests so long after a signal to stop, while /readyz says so.",
)
@click.option(
    "--access-log",
    "access_share",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Which part of the requests is logged, from none (0) to all (1).",
)
@click.option(
    "--without-write-keys",
    is_flag=True,
    help="Listen beyond this machine although everybody may send.",
)
@click.option("--quiet", is_flag=True, help="Do not print the address.")
def serve(
    settings: Settings,
    host: str,
    port: int,
    workers: int,
    drain_seconds: float,
    access_share: float,
    without_write_keys: bool,
    quiet: bool,
) -> None:
    """Collect events, evaluate flags and recommend over HTTP; the documentation is at /docs."""
    if not without_write_keys:
        check_senders(settings, host)
    load_mapping(settings.event_mapping)
    # Cleaning and learning use them, not the server; but whoever starts the platform wants to hear
    # of a mistake.
    load_rules(settings.cleaning_rules)
    load_gate_rules(settings.gate_rules)
    load_monitoring_rules(settings.monitoring_rules)
    take_over_flags(settings)
    load_trigger_rules(settings.trigger_rules, has_webhook=settings.webhook_url is not None)
    settings = with_protected_registry(settings, host)
    paths = shown_paths(settings)
    options = ServerOptions(workers, drain_seconds, access_share)
    with bound_socket(host, port) as listener, signals_of(options) as signals:
        if not quiet:
            click.echo(f"API       {web_address(host, port)}  ({paths})")
        code = run_server(settings, listener, options, signals)
    leave(code)


def take_over_flags(settings: Settings) -> None:
    """Apply the definitions of FEEDBACK_FLAGS, once for all processes; see `flags apply`.

    Without such a file it is the flags that ship, which the trigger rule that ships switches. A
    store that does not answer keeps no server from starting: the flags of before go on.

    Raises:
        InvalidInputError: the file cannot be read, or an entry is not accepted.
    """
    if settings.flags is None:
        definitions, name = shipped_definitions(), "flags that ship"
    else:
        definitions, name = load_definitions(settings.flags), settings.flags.name
    author = Author(f"file:{name}", "The API started.", datetime.now(UTC))
    try:
        Flags(Lake(settings.lake_url)).apply(definitions, author)
    except TransientError as error:
        click.echo(f"Warning: the definitions of flags are not applied: {error}", err=True)


def with_protected_registry(settings: Settings, host: str) -> Settings:
    """Return settings under which nobody but administrators changes schemas from elsewhere.

    Without API keys everybody on this machine may; beyond it nobody may, since nobody is known.
    """
    if settings.api_keys or is_loopback(host):
        return settings
    return replace(settings, api_keys={"nobody": secrets.token_urlsafe(32)})


def shown_paths(settings: Settings) -> str:
    """Return what a browser finds at the API.

    Raises:
        InvalidSettingError: the demo page is on, and what it needs is missing.
    """
    documentation = "documentation: /docs"
    return f"{documentation}, demo: /demo" if serves_demo(settings) else documentation


def check_senders(settings: Settings, host: str) -> None:
    """Refuse to listen beyond this machine as long as everybody may send.

    Raises:
        InvalidInputError: there are no write keys, and others than this machine reach the host.
    """
    if not (settings.write_keys or is_loopback(host)):
        raise InvalidInputError(
            f"Anybody who reaches {host} could send events: set FEEDBACK_WRITE_KEYS, or start "
            "with: serve --without-write-keys."
        )
