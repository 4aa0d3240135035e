"""Finding what is wrong, by runs, by what landed and by published tables; and telling of it."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from feedback_platform.lake.batches import latest_manifest, pending_objects, read_manifest
from feedback_platform.monitoring.alerts.book import Condition, Kind, Severity, what_changed
from feedback_platform.monitoring.alerts.destinations import Destination, Log, Slack, Webhook
from feedback_platform.monitoring.alerts.ledger import AlertLedger
from feedback_platform.monitoring.alerts.telling import tell_all
from feedback_platform.monitoring.alerts.watching import (
    BatchRows,
    by_batches,
    by_tables,
    by_time,
)
from feedback_platform.monitoring.monitoring_rules import AlertRules
from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.settings import alert_receivers
from feedback_platform.warehouse.published import published_through

# By so many of the newest batches it is judged whether too much is refused.
_BATCHES: Final = 20
_LONGEST_REASON: Final = 500
# What may become wrong or right although nothing new is published, and the rest.
AT_ANY_TIME: Final = frozenset({Kind.RUN_FAILURE, Kind.STALE_TABLE})
LOOKED_FOR: Final = AT_ANY_TIME | {Kind.DRIFT, Kind.SAMPLE_RATIO, Kind.QUARANTINE}
_ENDED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def destinations(write: Callable[[str], object]) -> list[Destination]:
    """Return who is told, by the environment; a secret goes no other way.

    Args:
        write: takes a line for the log.
    """
    receivers = alert_receivers()
    found: list[Destination] = [Log(write)]
    if receivers.webhook_url is not None:
        found.append(Webhook(receivers.webhook_url, receivers.webhook_secret))
    if receivers.slack_url is not None:
        found.append(Slack(receivers.slack_url))
    return found


def tell(
    platform: PlatformResource,
    found: Sequence[Condition],
    looked_for: Collection[Kind],
    write: Callable[[str], object],
) -> list[str]:
    """Note what is wrong and what is over, tell everybody, and return what went wrong with that."""
    ledger = AlertLedger(platform.lake())
    ledger.write(lambda book: what_changed(book, found, looked_for, _now()))
    problems = tell_all(ledger, destinations(write), _now)
    ledger.keep_book()
    return problems


def wrong_by_time(platform: PlatformResource, rules: AlertRules) -> list[Condition]:
    """Return what is too old."""
    path, lake = platform.settings.published_path, platform.lake()
    through = published_through(path)
    if through == 0:
        return []
    latest = latest_manifest(lake)
    waiting = len(pending_objects(lake)) + max((latest.sequence if latest else 0) - through, 0)
    published_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return by_time(platform.query, rules, now=_now(), waiting=waiting, published_at=published_at)


def wrong_by_content(platform: PlatformResource, rules: AlertRules) -> list[Condition]:
    """Return what is wrong by what is published."""
    through = published_through(platform.settings.published_path)
    if through == 0:
        return []
    lake = platform.lake()
    manifests = [
        read_manifest(lake, sequence)
        for sequence in range(max(through - _BATCHES, 0) + 1, through + 1)
    ]
    batches = [
        BatchRows(each.clean, each.quarantined) for each in manifests if not each.is_reprocessing
    ]
    return [*by_batches(batches, rules), *by_tables(platform.query, rules)]


def failed_runs(instance: dg.DagsterInstance) -> list[Condition]:
    """Return the jobs whose newest run that ended has failed."""
    found = []
    for job in jobs.NAMES:
        filters = dg.RunsFilter(job_name=job, statuses=_ENDED)
        newest = instance.get_runs(filters=filters, limit=1)
        if newest and newest[0].status == dg.DagsterRunStatus.FAILURE:
            found.append(run_failure(instance, job, newest[0].run_id))
    return found


def check(platform: PlatformResource, write: Callable[[str], object]) -> tuple[int, list[str]]:
    """Look for everything once and tell of it, as the sensors do.

    Returns:
        How many things are wrong, and what went wrong with telling.
    """
    rules = platform.monitoring().alerts
    prepare_home(platform.settings)
    with dg.DagsterInstance.from_config(str(platform.settings.dagster_home)) as instance:
        failed = failed_runs(instance)
    found = [*failed, *wrong_by_time(platform, rules), *wrong_by_content(platform, rules)]
    return len(found), tell(platform, found, LOOKED_FOR, write)


def run_failure(instance: dg.DagsterInstance, job: str, run_id: str) -> Condition:
    """Return that a run failed, with the reason that its step gave."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    reasons = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    reason = _reason(reasons[0]) if reasons else "Its log in the Dagster UI says why."
    message = f"The run {run_id[:8]} failed. {reason}"
    return Condition(Kind.RUN_FAILURE, job, message, Severity.ERROR)


def _reason(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        text = data.user_failure_data.description
    else:
        cause = data.error
        while cause is not None and cause.cause is not None:
            cause = cause.cause
        text = f"{event.step_key}: {cause.message}" if cause is not None else str(event.step_key)
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_REASON else f"{flat[:_LONGEST_REASON]}…"


def _now() -> datetime:
    return datetime.now(UTC)
