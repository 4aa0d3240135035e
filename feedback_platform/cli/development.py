"""dev: the platform on one machine, with its user interface."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from feedback_platform.adjustment.flags.definitions_file import load_definitions
from feedback_platform.adjustment.rules.rules_file import load_trigger_rules
from feedback_platform.cleaning.configuration import load_rules
from feedback_platform.cli.demonstration import demo_parameters, write_demo_data
from feedback_platform.cli.options import with_settings
from feedback_platform.cli.serving import check_senders, shown_paths, with_protected_registry
from feedback_platform.cli.supervision import Child, run_together
from feedback_platform.definitions import build_definitions
from feedback_platform.errors import InvalidInputError
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.learning.gate_rules import load_gate_rules
from feedback_platform.monitoring.monitoring_rules import load_monitoring_rules
from feedback_platform.orchestration.runs import end_runs_of_dead_servers, prepare_home
from feedback_platform.serving.server import bound_socket, web_address
from feedback_platform.settings import PROJECT_DIR, Settings, dagster_environment


@click.command(epilog="Example: feedback-platform dev --port 3000")
@with_settings
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--api-port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--no-demo-data", is_flag=True, help="Leave an empty lake empty.")
def dev(settings: Settings, host: str, port: int, api_port: int, no_demo_data: bool) -> None:
    """Start Dagster with sensors and schedules, and the API; an empty lake gets the demo data."""
    check_senders(settings, host)
    load_mapping(settings.event_mapping)
    load_rules(settings.cleaning_rules)
    load_gate_rules(settings.gate_rules)
    load_monitoring_rules(settings.monitoring_rules)
    if settings.flags is not None:
        load_definitions(settings.flags)
    load_trigger_rules(settings.trigger_rules, has_webhook=settings.webhook_url is not None)
    paths = shown_paths(with_protected_registry(settings, host))
    if api_port == port:
        raise InvalidInputError(f"Dagster and the API cannot both use port {port}: --api-port.")
    for each, option in ((port, "--port"), (api_port, "--api-port")):
        bound_socket(host, each, option=option).close()
    if not no_demo_data and not list_raw_objects(Lake(settings.lake_url)):
        click.echo("The lake is empty; loading the demo data.")
        write_demo_data(settings, demo_parameters(settings, users=None, days=None, seed=None))
    prepare_home(settings)
    with _only_server(settings) as lock:
        click.echo("Loading the asset graph …")
        build_definitions(settings)
        end_runs_of_dead_servers(settings)
        click.echo(
            f"Dagster   {web_address(host, port)}\n"
            f"API       {web_address(host, api_port)}  ({paths})\n"
            f"Tables    {settings.published_path}\n"
            "Sensors and schedules are on. Ctrl-C stops everything."
        )
        dagster = _dagster(settings, host, port, lock)
        sys.exit(run_together(dagster, _api(settings, host, api_port, lock)))


@contextmanager
def _only_server(settings: Settings) -> Iterator[int]:
    """Refuse a second server on the same data; the lock is dropped when all its holders died.

    They are this process and the guards of its servers, which get the descriptor that is yielded.
    """
    with (settings.dagster_home / "server.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInputError(
                f"A server is running on {settings.data_dir} already; "
                "stop it, wait until it has stopped, or use another --data-dir."
            ) from None
        yield lock.fileno()


def _dagster(settings: Settings, host: str, port: int, lock: int) -> Child:
    workspace = str(PROJECT_DIR / "workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", workspace]
    command += ["--host", host, "--port", str(port), "--log-level", "warning"]
    # Not in the project's directory: Dagster would warn about the dagster.yaml that lies there.
    return Child(
        "Dagster",
        command,
        directory=settings.data_dir,
        environment=dagster_environment(settings),
        held=[lock],
    )


def _api(settings: Settings, host: str, port: int, lock: int) -> Child:
    command = [sys.executable, "-m", "feedback_platform", "serve", "--quiet"]
    command += ["--data-dir", str(settings.data_dir), "--host", host, "--port", str(port)]
    return Child(
        "The API",
        command,
        directory=settings.data_dir,
        environment=dagster_environment(settings),
        held=[lock],
    )
