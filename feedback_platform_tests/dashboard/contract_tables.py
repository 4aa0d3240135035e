"""Tables as the platform's stages publish them, made by hand: what the dashboard is tested on.

Their figures are plausible and nobody's: the real ones take experiments, drift and weeks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import polars as pl

from feedback_platform.warehouse.published_database import (
    PublishedState,
    read_state,
    write_database,
)
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable
from feedback_platform.warehouse.publishing import TABLES

DAYS: Final = 28
NASTY: Final = "<img src=x onerror=alert(1)> [link](http://evil.test) **bold** :red[x]"


def contract_tables(last: date) -> dict[str, pl.DataFrame]:
    """Every table of measuring, with figures of the four weeks up to a day."""
    days = [last - timedelta(days=back) for back in reversed(range(DAYS))]
    noon = [datetime.combine(day, time(12), UTC) for day in days]
    return {
        **_made_by_dbt_and_training(days, noon),
        "metrics.engagement_by_model_daily": _engagement_by_model(days),
        "metrics.engagement_by_variant_daily": _engagement_by_variant(days),
        "metrics.satisfaction_daily": _satisfaction(days),
        "metrics.retention_weekly": _retention(days),
        "metrics.conversion_daily": _conversion(days),
        "metrics.before_after": _before_after(noon),
        "metrics.signal_quality": _signal_quality(noon),
        "metrics.signal_weights": pl.DataFrame(
            {
                "signal": ["rating", "click", "view"],
                "current_weight": [1.0, 0.6, 0.2],
                "proposed_weight": [0.9, 0.7, 0.1],
                "low": [0.8, 0.6, 0.0],
                "high": [1.0, 0.8, 0.2],
                "evidence": ["1,200 users", "1,900 users", "1,950 users"],
                "as_of": [noon[-1]] * 3,
            }
        ),
        "metrics.loop_health_daily": _loop_health(days),
        "metrics.layer_freshness": pl.DataFrame(
            {
                "layer": ["raw", "clean", "feedback", "published"],
                "newest_event_at": [noon[-1]] * 4,
                "written_at": [noon[-1] + timedelta(seconds=each) for each in (2, 9, 14, 20)],
                "lag_seconds": [2.0, 9.0, 14.0, 20.0],
                "measured_at": [noon[-1] + timedelta(minutes=1)] * 4,
            }
        ),
        "metrics.experiments": _experiments(noon),
        "metrics.experiment_results": _results(noon),
        "metrics.drift_events": pl.DataFrame(
            {
                "event_id": ["d1", "d2", "d3"],
                "stream": ["click_through", "feature:views", NASTY],
                "method": ["adwin", "psi", "ks"],
                "detected_at": [noon[-9], noon[-6], noon[-3]],
                "width": [6400, 1900, 1900],
                "before_mean": [0.121, 18.2, 0.31],
                "after_mean": [0.094, 25.4, 0.24],
                "action": ["retrain", "alert", "alert"],
            }
        ),
        "metrics.feature_drift": pl.DataFrame(
            {
                "feature": ["views", "clicks", "sessions", "average_score"],
                "measured_at": [noon[-1]] * 4,
                "reference_version": ["20261101T030000000Z-aaaaaa"] * 4,
                "users": [1900] * 4,
                "psi": [0.31, 0.12, 0.04, 0.01],
                "ks": [0.14, 0.06, 0.03, 0.01],
                "ks_p_value": [0.00002, 0.01, 0.3, 0.9],
                "is_drifted": [True, False, False, False],
            }
        ),
        "metrics.alerts": pl.DataFrame(
            {
                "alert_id": ["a1", "a2"],
                "kind": ["drift", "stale_table"],
                "subject": ["feature:views", "metrics.engagement_daily"],
                "message": [NASTY, "Nothing was published for 70 minutes."],
                "raised_at": [noon[-6], noon[-12]],
                "resolved_at": [None, noon[-11]],
                "severity": ["warning", "critical"],
            }
        ),
        "metrics.adjustments": _adjustments(noon),
    }


def published_with(
    tables: Mapping[str, pl.DataFrame], path: Path, source: Path | None = None
) -> Path:
    """Publish tables, beside or in the place of those of another publication; return where.

    Args:
        tables: by their names with the schema.
        path: of the new database.
        source: the other publication; its files stay where they are.
    """
    state = PublishedState(1, []) if source is None else read_state(source)
    directory = path.parent / "tables" if source is None else source.parent / "tables"
    directory.mkdir(parents=True, exist_ok=True)
    kept = [file for file in state.files if file.table not in tables]
    named = {each.qualified: each for each in TABLES}
    shown = [named.get(name, _table(name)) for name in dict.fromkeys(file.table for file in kept)]
    rows = {name: sum(each.rows for each in kept if each.table == name) for name in
        dict.fromkeys(file.table for file in kept)}  # fmt: skip
    for name, frame in tables.items():
        file = PublishedFile(name, "all", f"{name}-{uuid4().hex}.parquet", len(frame))
        frame.write_parquet(directory / file.name)
        kept.append(file)
        shown.append(_table(name))
        rows[name] = len(frame)
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    write_database(made, directory, shown, PublishedState(state.through, kept), rows, {})
    made.replace(path)
    return path


def _table(name: str) -> PublishedTable:
    schema, table = name.split(".")
    return PublishedTable(schema, table)


def _made_by_dbt_and_training(days: list[date], noon: list[datetime]) -> dict[str, pl.DataFrame]:
    engagement = [
        {
            "day": day,
            "segment": segment,
            "placement": placement,
            "sessions": 40 + number % 7,
            "users": 35,
            "impressions": shown,
            "clicks": shown // 9 + number % 5,
            "ctr": 0.11,
            "session_seconds": 480.0 + number,
            "bounce_rate": 0.07,
            "segmentation": "20261101T030000000Z-cccccc",
        }
        for number, day in enumerate(days)
        for segment in ("0", "1", "unassigned")
        for placement, shown in (("home", 160), ("sidebar", 60), ("none", 0))
    ]
    quarantine = [
        {"day": day, "reason": reason, "events": 1 + number % 4}
        for number, day in enumerate(days)
        for reason in ("malformed_json", "out_of_range", "missing_user")
    ]
    liked = [
        [{"category": name, "share": share, "lift": share * 4} for name, share in each]
        for each in ((("reports", 0.5), ("labs", 0.2)), (("labs", 0.6), ("documents", 0.1)))
    ]
    told = [[{"feature": "sessions", "mean": 11.2}, {"feature": "likes", "mean": 5.0}]] * 2
    decision = {
        "findings": [
            {"name": "popularity", "passed": True, "text": "better than popularity", "figures": {}},
            {"name": "champion", "passed": False, "text": NASTY, "figures": {"low": -0.1}},
        ]
    }
    figures = {"ndcg_at_10": 0.31, "ndcg_at_10_gain": 0.2}
    bounds = {"ndcg_at_10_gain_low": 0.17, "ndcg_at_10_gain_high": 0.23}
    return {
        "metrics.engagement_daily": pl.DataFrame(engagement),
        "metrics.quarantine_daily": pl.DataFrame(quarantine),
        "ml.segment_profiles": pl.DataFrame(
            {
                "segment_id": [0, 1],
                "name": ["Reports & Labs", NASTY],
                "users": [310, 290],
                "top_preferences": liked,
                "features": told,
                "algorithm": ["k-means"] * 2,
                "model_version": ["20261101T030000000Z-cccccc"] * 2,
                "silhouette": [0.36] * 2,
                "stability": [0.98, 0.7],
            }
        ),
        "ml.model_versions": pl.DataFrame(
            {
                "model": ["recommender"] * 3 + ["segments"],
                "version": [f"version-{each}" for each in range(4)],
                "trained_at": [noon[-20], noon[-14], noon[-7], noon[-7]],
                "trigger": ["initial", "nightly", "drift", "initial"],
                "metrics": [json.dumps(figures | bounds)] * 3 + ['{"silhouette": 0.36}'],
                "status": ["retired", "champion", "rejected", "champion"],
                "reason": ["first", "better", "may be worse", "Segments: two"],
                "promoted_at": [noon[-20], noon[-14], None, noon[-7]],
                "decision": [None, json.dumps(decision), json.dumps(decision), None],
            }
        ),
    }


def _engagement_by_model(days: list[date]) -> pl.DataFrame:
    versions = ("20261029T030000000Z-aaaaaa", "20261112T030000000Z-bbbbbb")
    rows = [
        {
            "day": day,
            "model_version": versions[number >= DAYS // 2],
            "placement": placement,
            "impressions": 900 + 10 * (number % 7),
            "clicks": 100 + 3 * (number % 5) + 14 * (number >= DAYS // 2),
            "ctr": None,
            "users": 210,
        }
        for number, day in enumerate(days)
        for placement in ("home", "sidebar")
    ]
    return pl.DataFrame(rows, schema_overrides={"ctr": pl.Float64()}).with_columns(
        ctr=pl.col("clicks") / pl.col("impressions")
    )


def _engagement_by_variant(days: list[date]) -> pl.DataFrame:
    rows = [
        {
            "day": day,
            "experiment_id": "personalised-home",
            "variant": variant,
            "users": 160,
            "sessions": 190,
            "impressions": 760,
            "clicks": clicks + number % 4,
            "ctr": (clicks + number % 4) / 760,
            "session_seconds": seconds,
            "bounce_rate": 0.07,
            "conversions": 9,
        }
        for number, day in enumerate(days[-14:])
        for variant, clicks, seconds in (("control", 88, 480.0), ("personalised", 101, 505.0))
    ]
    return pl.DataFrame(rows)


def _satisfaction(days: list[date]) -> pl.DataFrame:
    rows = [
        {
            "day": day,
            "responses": 10,
            "nps": 40.0,
            "nps_low": -14.749815,
            "nps_high": 81.416482,
            "ratings": 30,
            "average_rating": 3.9 + 0.01 * (number % 7),
            "csat_responses": 12,
            "csat": 0.75,
            "csat_low": 0.467,
            "csat_high": 0.911,
        }
        for number, day in enumerate(days)
    ]
    return pl.DataFrame(rows)


def _retention(days: list[date]) -> pl.DataFrame:
    monday = days[0] - timedelta(days=days[0].weekday())
    rows = []
    for cohort, users in enumerate((520, 190, 140, 90)):
        for week in range(1, 5 - cohort):
            returned = round(users * (0.78 - 0.09 * week))
            rows.append(
                {
                    "cohort_week": monday + timedelta(weeks=cohort),
                    "week": week,
                    "users": users,
                    "returned": returned,
                    "retention": returned / users,
                    "low": returned / users - 0.04,
                    "high": returned / users + 0.04,
                }
            )
    return pl.DataFrame(rows)


def _conversion(days: list[date]) -> pl.DataFrame:
    rows = [
        {
            "day": day,
            "segment": str(segment),
            "users": 120 - 20 * segment,
            "converted_users": 7 + (number + segment) % 4,
            "conversion_rate": (7 + (number + segment) % 4) / (120 - 20 * segment),
            "low": 0.02,
            "high": 0.14,
            "conversions": 9,
            "revenue": 171.0,
        }
        for number, day in enumerate(days)
        for segment in range(3)
    ]
    return pl.DataFrame(rows)


def _before_after(noon: list[datetime]) -> pl.DataFrame:
    rows = [
        {
            "kind": kind,
            "subject": subject,
            "at": noon[-14],
            "metric": metric,
            "before_days": 7,
            "after_days": 7 if is_complete else 3,
            "before_n": 12_600,
            "before": before,
            "after_n": 12_900,
            "after": before + difference,
            "difference": difference,
            "low": difference - 0.008,
            "high": difference + 0.008,
            "is_complete": is_complete,
        }
        for kind, subject, is_complete in (
            ("model_version", "20261112T030000000Z-bbbbbb", True),
            ("adjustment", "layout-home", False),
        )
        for metric, before, difference in (("ctr", 0.118, 0.014), ("bounce_rate", 0.07, -0.004))
    ]
    return pl.DataFrame(rows)


def _signal_quality(noon: list[datetime]) -> pl.DataFrame:
    rows = [
        {
            "signal": signal,
            "target": target,
            "horizon_days": 7,
            "users": users,
            "correlation": correlation,
            "low": correlation - 0.05,
            "high": correlation + 0.05,
            "p_value": 0.001,
            "as_of": noon[-1],
        }
        for target in ("retention", "conversion")
        for signal, users, correlation in (
            ("rating", 900, 0.21),
            ("click", 1900, 0.16),
            ("dismiss", 400, -0.08),
        )
    ]
    return pl.DataFrame(rows)


def _loop_health(days: list[date]) -> pl.DataFrame:
    rows = [
        {
            "day": day,
            "impressions": 1800,
            "users": 400,
            "items_shown": 80,
            "catalogue": 96,
            "coverage": 0.8 + 0.002 * (number % 9),
            "popularity_gini": 0.41 + 0.003 * (number % 5),
            "popularity_bias": 0.12,
            "exploration_share": 0.05,
            "filter_bubble_index": 0.33 + 0.004 * (number % 6),
        }
        for number, day in enumerate(days)
    ]
    return pl.DataFrame(rows)


def _experiments(noon: list[datetime]) -> pl.DataFrame:
    rows = [
        {
            "experiment_id": "personalised-home",
            "hypothesis": "Lists of their own bring users to click more. " + NASTY,
            "lever": "flag",
            "subject": "recommendations",
            "status": "running",
            "started_at": noon[-14],
            "ends_at": noon[-1] + timedelta(days=7),
            "stopped_at": None,
            "decision": None,
            "reason": None,
        },
        {
            "experiment_id": "compact-cards",
            "hypothesis": "Smaller cards show more at once.",
            "lever": "flag",
            "subject": "layout-home",
            "status": "stopped",
            "started_at": noon[0],
            "ends_at": noon[-15],
            "stopped_at": noon[-15],
            "decision": "keep control",
            "reason": "no deciding metric is surely better",
        },
    ]
    return pl.DataFrame(rows, schema_overrides={"stopped_at": pl.Datetime("us", "UTC")})


def _results(noon: list[datetime]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for experiment, ratio, decision in (
        ("personalised-home", 0.42, "ship"),
        ("compact-cards", 0.00004, "invalid: sample ratio"),
    ):
        for metric, kind, control, effect, reach in (
            ("click_through", "primary", 0.116, 0.0171, 0.009),
            ("session_seconds", "secondary", 480.0, 24.0, 31.0),
            ("bounce_rate", "guard", 0.07, 0.001, 0.006),
        ):
            rows += [
                {
                    "experiment_id": experiment,
                    "metric": metric,
                    "variant": "personalised",
                    "kind": kind,
                    "control": control,
                    "n": 1004,
                    "mean": control + effect,
                    "effect": effect,
                    "low": effect - reach,
                    "high": effect + reach,
                    "p_value": 0.0004,
                    "sequential_low": effect - 1.5 * reach,
                    "sequential_high": effect + 1.5 * reach,
                    "relative_effect": effect / control,
                    "sample_ratio_p_value": ratio,
                    "decision": decision,
                    "read_at": read_at,
                }
                for read_at in (noon[-2], noon[-1])
            ]
    return pl.DataFrame(rows)


def _adjustments(noon: list[datetime]) -> pl.DataFrame:
    evidence = {
        "metric": "click_through",
        "value": 0.0431,
        "interval": {"low": 0.0391, "high": 0.0472},
        "users": 211,
        "guards": [{"metric": "bounce_rate", "is_worse": False}],
    }
    rows = [
        {
            "adjustment_id": f"adj-{number}",
            "rule": rule,
            "scope": "placement = home",
            "evidence": json.dumps(evidence),
            "action": "flag",
            "flag": flag,
            "before": "cards",
            "after": "compact",
            "status": status,
            "reason": "all of the interval is below 5 %",
            "at": noon[-14 + number],
            "undone_at": None if status == "applied" else noon[-10 + number],
        }
        for number, (rule, flag, status) in enumerate(
            (
                ("low-click-through", "layout-home", "reverted"),
                ("low-click-through", "layout-home", "applied"),
                ("hidden-category", NASTY, "expired"),
            )
        )
    ]
    return pl.DataFrame(rows, schema_overrides={"undone_at": pl.Datetime("us", "UTC")})
