"""Checks off the hot path: Great Expectations suites, and the counts that must add up."""

from datetime import timedelta
from typing import Final

import dagster as dg

from feedback_platform.monitoring.accounting import account
from feedback_platform.monitoring.expectations import (
    CLEAN_COLUMNS,
    FEEDBACK_COLUMNS,
    SuiteResult,
    validate_clean,
    validate_feedback,
)
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.resources import PlatformResource

# The suites look at what is new enough to act on; the rest was looked at before.
WINDOW: Final = timedelta(days=28)

_CLEAN_SAMPLE: Final = f"""
    with newest as (select max(received_at) as received_at from interaction.interactions)
    select {", ".join(CLEAN_COLUMNS)} from interaction.interactions
    where received_at >= (select received_at from newest) - ?::interval
"""  # noqa: S608 - the columns are our own
_FEEDBACK_SAMPLE: Final = """
    with newest as (select max("timestamp") as given_at from feedback.user_feedback)
    select * from feedback.user_feedback
    where "timestamp" >= (select given_at from newest) - ?::interval
"""


@dg.asset_check(asset=keys.CLEAN_EVENTS, name="clean_expectations")
def clean_expectations(platform: PlatformResource) -> dg.AssetCheckResult:
    """Great Expectations on the clean events of the last four weeks, as interactions."""
    return _suite_result(validate_clean(platform.query(_CLEAN_SAMPLE, [WINDOW]).to_pandas()))


@dg.asset_check(asset=keys.USER_FEEDBACK, name="feedback_expectations")
def feedback_expectations(platform: PlatformResource) -> dg.AssetCheckResult:
    """Great Expectations on the feedback of the last four weeks."""
    frame = platform.query(_FEEDBACK_SAMPLE, [WINDOW]).select(FEEDBACK_COLUMNS)
    return _suite_result(validate_feedback(frame.to_pandas()))


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
            "different events in the lake": expected.events,
        },
    )


def _suite_result(result: SuiteResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result.success,
        metadata={"expectations": result.evaluated, "failed": list(result.failed)},
    )


CHECKS: Final = [clean_expectations, feedback_expectations, every_event_is_accounted_for]
