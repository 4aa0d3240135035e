"""adjustments: what trigger rules changed and why, taking it back, and the rules themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import click
import orjson

from feedback_platform.adjustment.rules.adjusting import known_adjustment, sentence
from feedback_platform.adjustment.rules.book import Adjustment, Book
from feedback_platform.adjustment.rules.definition import Rule
from feedback_platform.adjustment.rules.evaluation import Evaluation, Row, last_evaluation
from feedback_platform.adjustment.rules.ledger import evidence_of, read_book
from feedback_platform.adjustment.rules.metrics import METRICS
from feedback_platform.adjustment.rules.rules_file import load_trigger_rules
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.running import JobRunner
from feedback_platform.durations import written
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

_WIDTH: Final = 100
_INDENT: Final = " " * 6


@click.group(name="adjustments")
def adjustments() -> None:
    """Show what trigger rules changed and why, and take it back."""


@adjustments.command(name="list", epilog="Example: feedback-platform adjustments list")
@with_settings
@with_json
def list_command(settings: Settings, as_json: bool) -> None:
    """Show every adjustment with what was measured and what became of it; newest first."""
    known = list(read_book(Lake(settings.lake_url)).adjustments.values())[::-1]
    if as_json:
        click.echo(orjson.dumps([_as_json(each) for each in known]))
        return
    if not known:
        click.echo("No rule has fired yet; `feedback-platform adjustments rules` shows the rules.")
    for each in known:
        _print_adjustment(each)


@adjustments.command(
    epilog='Example: feedback-platform adjustments undo 3fa9c1d2e4b5a697 --reason "complaints"'
)
@click.argument("adjustment_id", metavar="ID")
@click.option("--reason", required=True, help="Why; shown beside the adjustment.")
@with_settings
@with_json
def undo(settings: Settings, as_json: bool, adjustment_id: str, reason: str) -> None:
    """Make things as they were before the adjustment ID, and publish that they are.

    The rule fires again only after its metric has been back to normal.
    """
    if not reason.strip():
        raise InvalidInputError("Say why, with --reason: it is shown beside the adjustment.")
    lake = Lake(settings.lake_url)
    before = known_adjustment(read_book(lake), adjustment_id).status
    seen = JobRunner(settings).undo_adjustment(adjustment_id, reason)
    book = read_book(lake)
    undone = book.adjustments[adjustment_id]
    outcome = {
        "adjustment_id": undone.adjustment_id,
        "rule": undone.rule,
        "scope": undone.scope,
        "flag": undone.change.subject,
        "now": book.undone_to(undone.change),
        "status": undone.status.value,
        "was": before.value,
        "reason": undone.reason,
        "published": seen["published/feedback/database"],
    }
    show(outcome, as_json=as_json)


@adjustments.command(epilog="Example: feedback-platform adjustments rules")
@with_settings
@with_json
def rules(settings: Settings, as_json: bool) -> None:
    """Show the trigger rules, and what each was found to be at the newest batch."""
    known = load_trigger_rules(settings.trigger_rules, has_webhook=settings.webhook_url is not None)
    lake = Lake(settings.lake_url)
    last, book = last_evaluation(lake), read_book(lake)
    if as_json:
        click.echo(orjson.dumps([_rule_as_json(rule, last, book) for rule in known]))
        return
    if not known:
        click.echo("There are no trigger rules; see FEEDBACK_TRIGGER_RULES.")
    for rule in known:
        _print_rule(rule, last, book)
    if last.batch:
        click.echo(f"As of batch {last.batch}, whose newest event is of {last.newest_event}.")
    else:
        click.echo("Not evaluated yet; run `feedback-platform process`.")


def _print_adjustment(adjustment: Adjustment) -> None:
    change = adjustment.change
    at = adjustment.at or adjustment.intended_at
    click.echo(
        f"{adjustment.adjustment_id}  {adjustment.status.value:<8}  {at:%Y-%m-%d %H:%M}  "
        f"{adjustment.rule}"
    )
    click.echo(f"{_INDENT}{change.kind.value} {change.subject}: {change.before} → {change.after}")
    click.echo(click.wrap_text(sentence(adjustment), _WIDTH, _INDENT, _INDENT))
    if adjustment.reason:
        when = f"{adjustment.undone_at:%Y-%m-%d %H:%M}  " if adjustment.undone_at else ""
        click.echo(click.wrap_text(f"{when}{adjustment.reason}", _WIDTH, _INDENT, _INDENT))


def _print_rule(rule: Rule, last: Evaluation, book: Book) -> None:
    action = " ".join(filter(None, (rule.action.kind, rule.action.subject, rule.action.variant)))
    scope = (
        ", ".join(f"{name} {value}" for name, value in rule.scope.items()) or "the whole product"
    )
    click.echo(
        f"{rule.name}: {rule.metric} {rule.comparison} {rule.threshold:g} over "
        f"{written(rule.window)}, {scope} → {action}"
    )
    click.echo(f"{_INDENT}{METRICS[rule.metric].means}")
    for row in _rows(rule, last):
        click.echo(f"{_INDENT}{row.scope}: {_figures(row)}  {row.verdict}{_quiet(row, book)}")


def _figures(row: Row) -> str:
    if row.value is None or row.low is None or row.high is None:
        return f"n = {row.count:,}"
    return f"{row.value:.4g} ({row.low:.4g} to {row.high:.4g}, n = {row.count:,})"


def _quiet(row: Row, book: Book) -> str:
    until = book.arm(row.rule, row.scope).cooldown_until
    return f", quiet before {until:%Y-%m-%d %H:%M}" if until is not None else ""


def _rows(rule: Rule, last: Evaluation) -> list[Row]:
    return [row for row in last.rows if row.rule == rule.name]


def _as_json(adjustment: Adjustment) -> dict[str, Any]:
    change = adjustment.change
    return {
        "adjustment_id": adjustment.adjustment_id,
        "rule": adjustment.rule,
        "scope": adjustment.scope,
        "evidence": evidence_of(adjustment),
        "action": change.kind.value,
        "flag": change.subject,
        "before": change.before,
        "after": change.after,
        "status": adjustment.status.value,
        "reason": adjustment.reason,
        "at": adjustment.at,
        "undone_at": adjustment.undone_at,
        "is_watched": adjustment.is_watched,
    }


def _rule_as_json(rule: Rule, last: Evaluation, book: Book) -> dict[str, Any]:
    def state(row: Row) -> dict[str, Any]:
        arm = book.arm(row.rule, row.scope)
        until: datetime | None = arm.cooldown_until
        return {
            "scope": row.scope,
            "value": row.value,
            "low": row.low,
            "high": row.high,
            "n": row.count,
            "verdict": row.verdict,
            "is_armed": arm.is_armed,
            "cooldown_until": until,
        }

    return {
        "name": rule.name,
        "metric": rule.metric,
        "scope": rule.scope,
        "window": written(rule.window),
        "comparison": rule.comparison.value,
        "threshold": rule.threshold,
        "rearm": rule.rearm,
        "minimum_sample": rule.minimum_sample,
        "level": rule.level,
        "cooldown": written(rule.cooldown),
        "action": {
            "kind": rule.action.kind.value,
            "subject": rule.action.subject,
            "variant": rule.action.variant,
        },
        "batch": last.batch,
        "places": [state(row) for row in _rows(rule, last)],
    }
