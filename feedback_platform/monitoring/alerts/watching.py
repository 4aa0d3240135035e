"""What is wrong now, by the published tables and by what landed.

A table of another part of the platform may be missing, from an earlier release or because nothing
is in it yet: then nothing is wrong by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from feedback_platform.durations import written
from feedback_platform.monitoring.alerts.book import Condition, Kind, Severity
from feedback_platform.monitoring.monitoring_rules import AlertRules
from feedback_platform.newest_event import NEWEST_EVENT

Query = Callable[[str, list[Any]], pl.DataFrame]

PUBLISHED: Final = "published/feedback"
RECEIVED: Final = "interaction.interactions"

_IS_THERE: Final = """
    select count(*) > 0 as is_there from information_schema.tables
    where table_schema = $1 and table_name = $2
"""
_NEWEST_RECEIVED: Final = """
    select max(received_at) as newest, 0 as taken_in_after from interaction.interactions
"""
# The same, without a look at every event; of what comes from elsewhere it also says how late.
_NEWEST_TAKEN_IN: Final = """
    select
        max(newest_event_at) as newest,
        coalesce(max(epoch(written_at) - epoch(newest_event_at)), 0) as taken_in_after
    from metrics.layer_freshness
    where layer = 'interaction'
"""
_DRIFT: Final = f"""
    with newest as ({NEWEST_EVENT}),

    taught as (
        select max(trained_at) as trained_at
        from ml.model_versions
        where model = 'recommender' and status = 'champion'
    )

    select stream, method, detected_at, before_mean, after_mean
    from metrics.drift_events, newest, taught
    where
        list_contains(string_split(action, ', '), 'alert')
        and detected_at > newest - $1::interval
        and (taught.trained_at is null or taught.trained_at < detected_at)
    qualify row_number() over (partition by stream order by detected_at desc, event_id) = 1
    order by stream
"""  # noqa: S608 - the constant of another module
# Running experiments where it is known which run; else whatever has results.
_SAMPLE_RATIO: Final = """
    select experiment_id, min(sample_ratio_p_value) as p_value
    from metrics.experiment_results {running}
    group by experiment_id
    having min(sample_ratio_p_value) < $1
    order by experiment_id
"""
_RUNNING: Final = """
    semi join (select experiment_id from metrics.experiments where status = 'running') as running
        using (experiment_id)
"""


@dataclass(frozen=True)
class BatchRows:
    """What cleaning made of the rows of a batch."""

    clean: int
    quarantined: int


def by_tables(query: Query, rules: AlertRules) -> list[Condition]:
    """Return what is wrong by the published tables; the kinds are drift and sample ratio.

    Args:
        query: runs SQL over the published tables.
        rules: when something is wrong.
    """
    return [*_drifted(query, rules), *_unbalanced(query, rules)]


def by_batches(batches: Sequence[BatchRows], rules: AlertRules) -> list[Condition]:
    """Return whether too much of the newest batches was refused."""
    refused = sum(batch.quarantined for batch in batches)
    rows = refused + sum(batch.clean for batch in batches)
    if rows < rules.quarantine_events or refused < rules.quarantine_share * rows:
        return []
    message = (
        f"{refused:,} of {rows:,} events of the newest batches were refused "
        f"({refused / rows:.0%}); `feedback-platform quarantine list` shows why."
    )
    return [Condition(Kind.QUARANTINE, "events", message, Severity.WARNING)]


def by_time(
    query: Query, rules: AlertRules, *, now: datetime, waiting: int, published_at: datetime
) -> list[Condition]:
    """Return what is too old.

    Args:
        query: see `by_tables`.
        rules: what is too old.
        now: UTC.
        waiting: raw objects and batches that readers do not see yet.
        published_at: when readers got what they see (UTC).
    """
    found = []
    if waiting and now - published_at > rules.behind:
        message = (
            f"What readers see is of {published_at:%Y-%m-%d %H:%M} UTC, while {waiting:,} raw "
            f"objects or batches wait for longer than {written(rules.behind)}. Look at the runs of "
            "the job `process`."
        )
        found.append(Condition(Kind.STALE_TABLE, PUBLISHED, message, Severity.ERROR))
    is_kept = _is_there(query, "metrics", "layer_freshness")
    row = query(_NEWEST_TAKEN_IN if is_kept else _NEWEST_RECEIVED, []).row(0, named=True)
    newest: datetime | None = row["newest"]
    # History that was imported, as the demo's, is old from the beginning: nobody has fallen silent.
    is_live = timedelta(seconds=row["taken_in_after"]) <= rules.silence
    if newest is not None and now - newest > rules.silence and is_live:
        message = (
            f"No event was received since {newest:%Y-%m-%d %H:%M} UTC, for longer than "
            f"{written(rules.silence)}. Do the senders reach the collector?"
        )
        found.append(Condition(Kind.STALE_TABLE, RECEIVED, message, Severity.WARNING))
    return found


def _drifted(query: Query, rules: AlertRules) -> Iterator[Condition]:
    for row in query(_DRIFT, [rules.drift_stands]).iter_rows(named=True):
        message = (
            f"Changed from {row['before_mean']:.4g} to {row['after_mean']:.4g} "
            f"({row['method']}), noticed with the events of "
            f"{row['detected_at']:%Y-%m-%d %H:%M} UTC."
        )
        yield Condition(Kind.DRIFT, row["stream"], message, Severity.WARNING)


def _unbalanced(query: Query, rules: AlertRules) -> Iterator[Condition]:
    if not _is_there(query, "metrics", "experiment_results"):
        return
    running = _RUNNING if _is_there(query, "metrics", "experiments") else ""
    sql = _SAMPLE_RATIO.format(running=running)
    for row in query(sql, [rules.sample_ratio]).iter_rows(named=True):
        message = (
            f"Its arms are not as large as they should be (p = {row['p_value']:.2g}): users are "
            "lost in one of them, or counted twice. Until that is found its results mean nothing."
        )
        yield Condition(Kind.SAMPLE_RATIO, row["experiment_id"], message, Severity.ERROR)


def _is_there(query: Query, schema: str, table: str) -> bool:
    return bool(query(_IS_THERE, [schema, table])["is_there"].item())
