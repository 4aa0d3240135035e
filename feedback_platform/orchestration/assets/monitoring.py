"""Drift and alerts: whether what users do is as the models learned it, and what is wrong.

One step: another would open the warehouse again, in every micro-batch.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import dagster as dg
import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.freezes import Freeze, freeze
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform.learning.training import RECOMMENDER
from feedback_platform.monitoring.alerts.ledger import alerts_table, read_alerts
from feedback_platform.monitoring.drift import DriftEvent
from feedback_platform.monitoring.drift_state import list_events
from feedback_platform.monitoring.feature_reference import REFERENCE_FILE, FeatureReference
from feedback_platform.monitoring.feature_watch import (
    is_due,
    load_looks,
    look_at_features,
    looks_table,
)
from feedback_platform.monitoring.monitoring_rules import (
    Consequence,
    MonitoringRules,
    has_consequence,
)
from feedback_platform.monitoring.streams import Query, settled, watch_streams
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.published import relation_frame

_SEEN: Final = [keys.INTERACTIONS, keys.USER_FEEDBACK, keys.USER_PREFERENCES]


@dg.multi_asset(
    name="monitoring",
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    specs=[
        dg.AssetSpec(
            key,
            deps=deps,
            group_name=keys.MEASURE,
            owners=keys.OWNERS,
            kinds={"python", "duckdb"},
            description=description,
        )
        for key, deps, description in (
            (
                keys.DRIFT_EVENTS,
                _SEEN,
                "Changes in streams (ADWIN) and features (PSI, KS), and what follows from them.",
            ),
            (
                keys.FEATURE_DRIFT,
                [keys.USER_FEATURES, keys.ITEM_FEATURES],
                "Each feature against those that the champion was trained on, look by look.",
            ),
            (
                keys.ALERTS,
                [keys.QUARANTINED_EVENTS],
                "What was wrong from when until when, as somebody was told.",
            ),
        )
    ],
)
def monitoring(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> Iterator[dg.MaterializeResult]:
    """Take the new part of each stream, look at the features when it is time, and act."""
    lake, path = platform.lake(), platform.settings.warehouse_path
    with reported_failures(), exclusive_warehouse(path), open_warehouse(path) as connection:
        query = partial(relation_frame, connection)
        rules = _rules(platform, context.log)
        # It looks at every event, so it is asked for once.
        until = settled(query)
        found, looks = [], None
        if rules is not None and until is not None:
            found = watch_streams(lake, query, until, rules)
            changed = _looked(lake, query, until, rules)
            if changed is not None:
                found += changed
                looks = looks_table(load_looks(lake))
        known, alerts = list_events(lake), alerts_table(read_alerts(lake))
        tables = {("metrics", "drift_events"): known, ("metrics", "alerts"): alerts}
        if looks is not None:
            tables["metrics", "feature_drift"] = looks
        replace_tables(connection, tables)
        if rules is not None and until is not None:
            _freeze(lake, known, rules, until, platform.now())
    for event in found:
        context.log.warning(f"{described(event)} What follows: {event.action}.")
    yield dg.MaterializeResult(
        asset_key=keys.DRIFT_EVENTS, metadata={"found now": len(found), "known": known.height}
    )
    yield dg.MaterializeResult(
        asset_key=keys.FEATURE_DRIFT, metadata={"looked now": looks is not None}
    )
    standing = alerts["resolved_at"].null_count()
    yield dg.MaterializeResult(
        asset_key=keys.ALERTS,
        metadata={"dagster/row_count": alerts.height, "standing": standing},
    )


def described(event: DriftEvent) -> str:
    """Return a change in a sentence."""
    return (
        f"{event.stream} changed from {event.before_mean:.4g} to {event.after_mean:.4g}, noticed "
        f"with the events of {event.detected_at:%Y-%m-%d %H:%M} UTC."
    )


def _rules(platform: PlatformResource, log: logging.Logger) -> MonitoringRules | None:
    """Read the rules; None where a file that changed since the start has a mistake.

    All tables are published behind this step: a mistake stops drift detection, which goes on from
    there when it is corrected, and nothing else.
    """
    try:
        return platform.monitoring()
    except InvalidInputError as error:
        log.warning(f"Nothing is watched: {error}")
        return None


def _looked(
    lake: Lake, query: Query, until: datetime, rules: MonitoringRules
) -> Sequence[DriftEvent] | None:
    """Look at the features, when it is time and there is something to hold them against."""
    if not is_due(lake, until, rules.features):
        return None
    champion = _champion(lake)
    if champion is None or REFERENCE_FILE not in champion.files:
        return None
    content = registry.read_file(lake, champion, REFERENCE_FILE)
    reference = FeatureReference.from_bytes(content)
    return look_at_features(lake, query, until, reference, champion.version, rules)


def _champion(lake: Lake) -> ModelVersion | None:
    """Return what is known of the champion; None where it cannot be read, which others say."""
    try:
        return champions.champion(lake, RECOMMENDER)
    except ModelUnusableError:
        return None


def _freeze(
    lake: Lake, known: pl.DataFrame, rules: MonitoringRules, until: datetime, now: datetime
) -> None:
    """Freeze promotions for each new change that says so; a run that died before does so now."""
    new = known.filter(pl.col("detected_at") > until - rules.freeze_lasts)
    for row in new.iter_rows(named=True):
        event = DriftEvent(**row)
        if has_consequence(event.action, Consequence.FREEZE_PROMOTION):
            lasts = now + rules.freeze_lasts
            freeze(lake, RECOMMENDER, Freeze(event.event_id, now, lasts, described(event)))
