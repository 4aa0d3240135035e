"""dev: the platform on one machine, with its user interface."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

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
from feedback_platform.experiments.definitions_file import load_experiments
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.learning.gate_rules import load_gate_rules
from feedback_platform.monitoring.monitoring_rules import load_monitoring_rules
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.orchestration.runs import end_runs_of_dead_servers
from feedback_platform.serving.server import bound_socket, web_address
from feedback_platform.settings import PROJECT_DIR, Settings, dagster_environment


@click.command(epilog="Example: feedback-platform dev --port 3000")
@with_settings
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--api-port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--dashboard-port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option("--no-demo-data", is_flag=True, help="Leave an empty lake empty.")
def dev(
    settings: Settings,
    host: str,
    port: int,
    api_port: int,
    dashboard_port: int,
    no_demo_data: bool,
) -> None:
    """Start Dagster with sensors and schedules, the API and the dashboard.

    An empty lake gets the demo data.
    """
    check_senders(settings, host)
    load_mapping(settings.event_mapping)
    load_rules(settings.cleaning_rules)
    load_gate_rules(settings.gate_rules)
    load_monitoring_rules(settings.monitoring_rules)
    if settings.flags is not None:
        load_definitions(settings.flags)
    if settings.experiments is not None:
        load_experiments(settings.experiments)
    load_trigger_rules(settings.trigger_rules, has_webhook=settings.webhook_url is not None)
    paths = shown_paths(with_protected_registry(settings, host))
    _check_ports(host, {"--port": port, "--api-port": api_port, "--dashboard-port": dashboard_port})
    if not no_demo_data and not list_raw_objects(Lake(settings.lake_url)):
        click.echo("The lake is empty; loading the demo data.")
        write_demo_data(settings, demo_parameters(settings, users=None, days=None, seed=None))
    prepare_home(settings)
    with _only_server(settings) as lock:
        click.echo("Loading the asset graph …")
        build_definitions(settings)
        click.echo(
            f"Dagster   {web_address(host, port)}\n"
            f"API       {web_address(host, api_port)}  ({paths})\n"
            f"Dashboard {web_address(host, dashboard_port)}\n"
            f"Tables    {settings.published_path}\n"
            "Sensors and schedules are on. Ctrl-C stops everything."
        )
        dagster = _dagster(settings, host, port, lock)
        dashboard = _dashboard(settings, host, dashboard_port, lock)
        sys.exit(run_together(dashboard, _api(settings, host, api_port, lock), dagster))


def _check_ports(host: str, ports: Mapping[str, int]) -> None:
    """Refuse ports that are taken, also by another one of the servers.

    Args:
        host: of all of them.
        ports: of each server, by the option with which it is chosen.
    """
    chosen: dict[int, str] = {}
    for option, port in ports.items():
        if port in chosen:
            raise InvalidInputError(
                f"{chosen[port]} and {option} cannot both be {port}; choose another."
            )
        chosen[port] = option
        bound_socket(host, port, option=option).close()


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
        # Where this one dies, Dagster goes on, and no sensor nor schedule does anything any more.
        part="dagster api grpc",
        prepare=partial(end_runs_of_dead_servers, settings),
    )


def _api(settings: Settings, host: str, port: int, lock: int) -> Child:
    return _ours("The API", "serve", settings, host, port, lock)


def _dashboard(settings: Settings, host: str, port: int, lock: int) -> Child:
    return _ours("The dashboard", "dashboard", settings, host, port, lock)


def _ours(name: str, command: str, settings: Settings, host: str, port: int, lock: int) -> Child:
    words = [sys.executable, "-m", "feedback_platform", command, "--quiet"]
    words += ["--data-dir", str(settings.data_dir), "--host", host, "--port", str(port)]
    return Child(
        name,
        words,
        directory=settings.data_dir,
        environment=dagster_environment(settings),
        held=[lock],
    )
