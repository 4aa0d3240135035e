"""dashboard: charts over the published tables, in a browser."""

from __future__ import annotations

import click

from feedback_platform.cli.options import with_settings
from feedback_platform.dashboard.launch import run_dashboard
from feedback_platform.serving.server import bound_socket, is_loopback, web_address
from feedback_platform.settings import Settings


@click.command(epilog="Example: feedback-platform dashboard --port 8501")
@with_settings
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option(
    "--public-host",
    "public_hosts",
    multiple=True,
    metavar="NAME",
    help="A name by which a proxy's visitors know the dashboard; may be repeated.",
)
@click.option("--quiet", is_flag=True, help="Do not print the address.")
def dashboard(
    settings: Settings, host: str, port: int, public_hosts: tuple[str, ...], quiet: bool
) -> None:
    """Show charts over the published tables; it has no login, so it listens on this machine."""
    bound_socket(host, port).close()
    is_local = is_loopback(host)
    if not is_local:
        click.echo(
            f"Warning: the dashboard has no login; everybody who reaches {host} can read the "
            "published figures.",
            err=True,
        )
    if not quiet:
        click.echo(f"Dashboard {web_address(host, port)}  (Ctrl-C stops it)")
    run_dashboard(settings.published_path, host, port, public_hosts=public_hosts, is_local=is_local)
