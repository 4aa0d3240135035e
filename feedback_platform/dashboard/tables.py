"""Which tables the dashboard reads, and which columns of them: what it expects of a publication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MADE_BY_DBT: Final = "`feedback-platform process` fills it"
_MADE_BY_TRAINING: Final = "`feedback-platform train` fills it"
_MEASURED_LATER: Final = (
    "`feedback-platform train` fills it, once it is known what users did later: docs/signals.md"
)


@dataclass(frozen=True)
class Table:
    """A published table as the dashboard knows it.

    Attributes:
        name: with its schema.
        columns: those that are read; it may have more.
        filled: how rows get into it, for people.
    """

    name: str
    columns: tuple[str, ...]
    filled: str = _MADE_BY_DBT


def _table(name: str, columns: str, filled: str = _MADE_BY_DBT) -> Table:
    return Table(name, tuple(columns.split()), filled)


ENGAGEMENT: Final = _table(
    "metrics.engagement_daily",
    "day segment placement sessions users impressions clicks session_seconds bounce_rate",
)
ENGAGEMENT_BY_MODEL: Final = _table(
    "metrics.engagement_by_model_daily", "day model_version placement impressions clicks users"
)
ENGAGEMENT_BY_VARIANT: Final = _table(
    "metrics.engagement_by_variant_daily",
    "day experiment_id variant users sessions impressions clicks session_seconds bounce_rate"
    " conversions",
    "it fills when users are exposed to an experiment: docs/experiments.md",
)
SATISFACTION: Final = _table(
    "metrics.satisfaction_daily",
    "day responses nps nps_low nps_high ratings average_rating",
    "it fills when users rate items or answer surveys",
)
CSAT: Final = _table(
    "metrics.satisfaction_daily",
    "day csat_responses csat csat_low csat_high",
    "it fills when users answer the survey `csat`",
)
RETENTION: Final = _table(
    "metrics.retention_weekly",
    "cohort_week week users returned retention low high",
    "it fills when a whole week has passed after the one in which users were new",
)
CONVERSION: Final = _table(
    "metrics.conversion_daily", "day segment users converted_users conversions revenue"
)
BEFORE_AFTER: Final = _table(
    "metrics.before_after",
    "kind subject at metric before_days after_days before_n before after_n after difference"
    " low high is_complete",
    "it fills with the whole days that follow a promotion or a change by a trigger rule",
)
PROFILES: Final = _table(
    "ml.segment_profiles",
    "segment_id name users top_preferences features algorithm model_version silhouette stability",
    _MADE_BY_TRAINING,
)
MODEL_VERSIONS: Final = _table(
    "ml.model_versions",
    "model version trained_at trigger metrics status reason promoted_at decision",
    _MADE_BY_TRAINING,
)
EXPERIMENTS: Final = _table(
    "metrics.experiments",
    "experiment_id hypothesis lever subject status started_at ends_at stopped_at decision reason",
    "`feedback-platform experiments start` begins one: docs/experiments.md",
)
RESULTS: Final = _table(
    "metrics.experiment_results",
    "experiment_id metric variant kind control n mean effect low high p_value sequential_low"
    " sequential_high relative_effect sample_ratio_p_value decision read_at",
    "it fills when a running experiment is read: docs/experiments.md",
)
ADJUSTMENTS: Final = _table(
    "metrics.adjustments",
    "adjustment_id rule scope evidence action flag before after status reason at undone_at",
    "it fills when a trigger rule changes something: docs/adjustments.md",
)
DRIFT_EVENTS: Final = _table(
    "metrics.drift_events",
    "stream method detected_at width before_mean after_mean action",
    "it fills when a stream changes; none is good news",
)
FEATURE_DRIFT: Final = _table(
    "metrics.feature_drift",
    "feature measured_at reference_version users psi ks ks_p_value is_drifted",
    "it fills when features are held against those that the model in use was trained on",
)
ALERTS: Final = _table(
    "metrics.alerts",
    "alert_id kind subject message raised_at resolved_at severity",
    "it fills when something needs a person; none is good news",
)
QUARANTINE: Final = _table(
    "metrics.quarantine_daily", "day reason events", "it fills when events are rejected"
)
FRESHNESS: Final = _table(
    "metrics.layer_freshness", "layer newest_event_at written_at lag_seconds measured_at"
)
LOOP_HEALTH: Final = _table(
    "metrics.loop_health_daily",
    "day impressions users items_shown catalogue coverage popularity_gini popularity_bias"
    " exploration_share filter_bubble_index",
)
SIGNAL_QUALITY: Final = _table(
    "metrics.signal_quality",
    "signal target horizon_days users correlation low high p_value as_of",
    _MEASURED_LATER,
)
SIGNAL_WEIGHTS: Final = _table(
    "metrics.signal_weights",
    "signal current_weight proposed_weight low high evidence as_of",
    _MEASURED_LATER,
)
