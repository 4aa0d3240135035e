"""Checks off the hot path: Great Expectations suites, and the counts that must add up.

A failed check is a warning, or an error when it says that the data must not be used. No check stops
landing, cleaning or publishing: readers see what there is, and a corrected state can always replace
it. What keeps models from learning is in `training_gate`.
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from feedback_platform.monitoring.accounting import account
from feedback_platform.monitoring.expectations import (
    CLEAN_COLUMNS,
    validate_clean,
    validate_feedback,
    validate_raw,
)
from feedback_platform.monitoring.raw_sample import sample_raw
from feedback_platform.monitoring.validation import SuiteResult
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.resources import PlatformResource

# The suites look at what is new enough to act on; the rest was looked at before.
WINDOW: Final = timedelta(days=28)
# Rows of a sample: memory stays the same however much there is. dbt's tests look at every row.
SAMPLE_ROWS: Final = 200_000
# An hour that usually brings less than this says nothing by bringing more or less.
LEAST_USUAL: Final = 100

_CLEAN_SAMPLE: Final = f"""
    with newest as (select max(received_at) as received_at from interaction.interactions)
    select {", ".join(CLEAN_COLUMNS)}
    from (
        from interaction.interactions
        where received_at >= (select received_at from newest) - $1::interval
    )
    using sample reservoir({SAMPLE_ROWS} rows) repeatable (1)
"""  # noqa: S608 - the columns are our own
_FEEDBACK_SAMPLE: Final = f"""
    with newest as (select max("timestamp") as given_at from feedback.user_feedback)
    select
        *,
        user_id in (select user_id from interaction.users) as is_known_user,
        item_id in (select item_id from interaction.items) as is_known_item
    from (
        from feedback.user_feedback
        where "timestamp" >= (select given_at from newest) - $1::interval
    )
    using sample reservoir({SAMPLE_ROWS} rows) repeatable (1)
"""  # noqa: S608 - a number of our own
_SCORE_SAMPLE: Final = f"""
    select user_id, item_id, feedback_score, confidence
    from feedback.feedback_scores
    using sample reservoir({SAMPLE_ROWS} rows) repeatable (1)
"""  # noqa: S608 - a number of our own
# The last 24 full hours by the clock, each beside the median of the same hour of the week before.
_VOLUME: Final = """
    with received as (
        select date_trunc('hour', received_at) as hour, count(*) as events
        from interaction.interactions
        where
            received_at >= date_trunc('hour', $1::timestamp) - interval 8 days
            and received_at < date_trunc('hour', $1::timestamp)
        group by hour
    ),
    hours as (
        select date_trunc('hour', $1::timestamp) - to_hours(hours::integer) as hour
        from range(1, 25) as counted(hours)
    ),
    compared as (
        select
            hours.hour,
            coalesce(any_value(now.events), 0) as events,
            median(coalesce(before.events, 0)) as usual
        from hours
        cross join range(1, 8) as counted(days)
        left join received as now on hours.hour = now.hour
        left join received as before on hours.hour - to_days(days::integer) = before.hour
        group by hours.hour
    )
    select *, events / usual as of_usual
    from compared
    where usual >= $2
    order by hour
"""


@dg.asset_check(asset=keys.RAW_EVENTS, name="raw_expectations")
def raw_expectations(platform: PlatformResource) -> dg.AssetCheckResult:
    """Great Expectations on a sample of the newest day of raw objects, and on the volume by hour.

    Error: an object cannot be read. Warning: lines that are not JSON, times of reception outside
    of the object's hour, an hour with far less or more than the same hour of the week before.
    """
    now = platform.now()
    sample = sample_raw(platform.lake(), now=now)
    volume = platform.query(_VOLUME, [now.replace(tzinfo=None), LEAST_USUAL]).to_pandas()
    docs = platform.settings.data_docs_dir / "raw"
    result = validate_raw(sample.objects, sample.sources(), volume, docs)
    looked_at = f"{len(sample.objects)} of {sample.received} raw objects"
    if sample.hours is not None:
        looked_at += f", {sample.hours[0]:%Y-%m-%d %H:%M} to {sample.hours[1]:%Y-%m-%d %H:%M} UTC"
    return _suite_result(platform, "raw", result, looked_at)


@dg.asset_check(asset=keys.CLEAN_EVENTS, name="clean_expectations")
def clean_expectations(platform: PlatformResource) -> dg.AssetCheckResult:
    """Great Expectations on the clean events of the last four weeks, as interactions.

    Error: a key, a type, a value or a rule that cannot be; training waits. Warning: unusual shares
    of imputed values, outliers and unknown devices, clocks that are far off.
    """
    frame = platform.query(_CLEAN_SAMPLE, [WINDOW]).to_pandas()
    result = validate_clean(frame, platform.settings.data_docs_dir / "clean")
    return _suite_result(platform, "clean", result, f"{len(frame)} events")


@dg.asset_check(asset=keys.USER_FEEDBACK, name="feedback_expectations")
def feedback_expectations(platform: PlatformResource) -> dg.AssetCheckResult:
    """Great Expectations on the feedback of the last four weeks, and on the scores.

    Error: a score or confidence outside of 0 to 1, a key that is missing, double or of an unknown
    user or item; training waits. Warning: next to no explicit feedback, or next to nothing else.
    """
    feedback = platform.query(_FEEDBACK_SAMPLE, [WINDOW]).to_pandas()
    scores = platform.query(_SCORE_SAMPLE).to_pandas()
    result = validate_feedback(feedback, scores, platform.settings.data_docs_dir / "feedback")
    looked_at = f"{len(feedback)} pieces of feedback, {len(scores)} scores"
    return _suite_result(platform, "feedback", result, looked_at)


@dg.asset_check(asset=keys.INTERACTIONS, name="every_event_is_accounted_for")
def every_event_is_accounted_for(platform: PlatformResource) -> dg.AssetCheckResult:
    """Lines received = interactions + quarantined + duplicates, up to what is published."""
    # One query, and before the lake is read: a micro-batch may publish meanwhile.
    stored = platform.query(
        """
        select
            (select through from published.state) as through,
            (select count(*) from interaction.interactions) as interactions,
            (select coalesce(sum(events), 0) from metrics.quarantine_daily) as quarantined
        """
    ).row(0, named=True)
    expected = account(platform.lake(), through=int(stored["through"]))
    interactions, quarantined = int(stored["interactions"]), int(stored["quarantined"])
    return dg.AssetCheckResult(
        passed=(interactions, quarantined) == (expected.events, expected.quarantined),
        metadata={
            "lines received": expected.received,
            "interactions": interactions,
            "quarantined": quarantined,
            "duplicates": expected.duplicates,
            "erased": expected.erased,
            "different events in the lake": expected.events,
        },
    )


def _suite_result(
    platform: PlatformResource, layer: str, result: SuiteResult, looked_at: str
) -> dg.AssetCheckResult:
    error, warning = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    failed = "; ".join(result.failed)
    return dg.AssetCheckResult(
        passed=result.success,
        severity=error if result.is_severe else warning,
        description=failed or f"All of {result.evaluated} expectations hold.",
        metadata={
            "expectations": result.evaluated,
            "failed": list(result.failed),
            "looked at": looked_at,
            "data docs": dg.MetadataValue.path(
                str(platform.settings.data_docs_dir / layer / "index.html")
            ),
        },
    )


CHECKS: Final = [
    raw_expectations,
    clean_expectations,
    feedback_expectations,
    every_event_is_accounted_for,
]
