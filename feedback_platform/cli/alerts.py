"""alerts: what is and was wrong, who was told, and whether they can be told."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click
import orjson

from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.alerts.book import Alert, Condition, Kind, Severity, Telling
from feedback_platform.monitoring.alerts.destinations import line
from feedback_platform.monitoring.alerts.ledger import read_alerts
from feedback_platform.orchestration.alerting import check, destinations
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.settings import Settings

_WIDTH: Final = 100
_INDENT: Final = " " * 6


@click.group(name="alerts")
def alerts() -> None:
    """Show what is wrong, and see to it that somebody is told."""


@alerts.command(name="list", epilog="Example: feedback-platform alerts list --all")
@click.option("--all", "is_all", is_flag=True, help="Also those that are over.")
@with_settings
@with_json
def list_command(settings: Settings, as_json: bool, is_all: bool) -> None:
    """Show the alerts that stand, newest first, and how far each destination knows of them."""
    book = read_alerts(Lake(settings.lake_url))
    known = list(book.alerts.values()) if is_all else book.standing
    if as_json:
        click.echo(orjson.dumps([_as_json(alert) for alert in known[::-1]]))
        return
    if not known:
        click.echo("Nothing is wrong that anybody was told of.")
    for alert in known[::-1]:
        over = f" to {alert.resolved_at:%Y-%m-%d %H:%M}" if alert.resolved_at else ""
        click.echo(f"{alert.alert_id}  {alert.raised_at:%Y-%m-%d %H:%M}{over}")
        click.echo(click.wrap_text(line(alert), _WIDTH, _INDENT, _INDENT))
        for name, telling in alert.tellings.items():
            click.echo(click.wrap_text(f"{name}: {_said(telling)}", _WIDTH, _INDENT, _INDENT))


@alerts.command(epilog="Example: feedback-platform alerts test")
@with_settings
@with_json
def test(settings: Settings, as_json: bool) -> None:
    """Send a test to the log and to each receiver; the exit code is 1 when one did not take it."""
    now = datetime.now(UTC)
    message = f"A test of the installation at {settings.data_dir}; nothing is wrong."
    condition = Condition(Kind.TEST, "alerts", message, Severity.WARNING)
    alert = Alert(f"test-{now:%Y%m%dT%H%M%S%fZ}", condition, now)
    outcomes = {}
    for destination in destinations(lambda text: click.echo(text, err=True)):
        try:
            destination.tell(alert, now)
        except FeedbackPlatformError as error:
            outcomes[destination.name] = str(error)
        else:
            outcomes[destination.name] = "told"
    show(outcomes, as_json=as_json)
    sys.exit(0 if set(outcomes.values()) == {"told"} else 1)


@alerts.command(name="check", epilog="Example: feedback-platform alerts check")
@with_settings
@with_json
def check_command(settings: Settings, as_json: bool) -> None:
    """Look for what is wrong once and tell of it, where no Dagster daemon does so all the time."""
    platform = PlatformResource.from_settings(settings)
    wrong, problems = check(platform, lambda text: click.echo(text, err=True))
    told = " ".join(problems) or "everybody knows"
    show({"wrong": wrong, "telling": told}, as_json=as_json)
    sys.exit(1 if problems else 0)


def _said(telling: Telling) -> str:
    if telling.problem:
        tried = f" (tried {telling.failures} times)" if telling.told is None else ""
        return f"{telling.problem}{tried}"
    return f"told that it is {telling.told}"


def _as_json(alert: Alert) -> Mapping[str, Any]:
    condition = alert.condition
    return {
        "alert_id": alert.alert_id,
        "kind": condition.kind,
        "subject": condition.subject,
        "message": condition.message,
        "severity": condition.severity,
        "raised_at": alert.raised_at,
        "resolved_at": alert.resolved_at,
        "destinations": {
            name: {
                "told": telling.told,
                "failures": telling.failures,
                "tried_at": telling.tried_at,
                "problem": telling.problem,
            }
            for name, telling in alert.tellings.items()
        },
    }
