"""Which features are watched, how they are read, and what was seen of them at the last looks.

Totals of a user only grow, so they are watched as shares and rates, which stay as they are while
behaviour does. Watched are those who were active in the last four weeks, at the training and now:
who is gone changes no more, and would hide what others do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.drift import DriftEvent
from feedback_platform.monitoring.drift_state import keep_events
from feedback_platform.monitoring.feature_drift import FeatureLook, compare, drift_events
from feedback_platform.monitoring.feature_reference import (
    FeatureReference,
    described,
    reference_of,
)
from feedback_platform.monitoring.monitoring_rules import FeatureRules, MonitoringRules
from feedback_platform.monitoring.streams import Query, settled

ACTIVE_FOR: Final = timedelta(days=28)
MOST_CATEGORIES: Final = 20
MOST_LOOKS: Final = 60
USER: Final = "user"
ITEM: Final = "item"
AFFINITY: Final = "affinity:"

# A sample costs the same however many there are, and finds what a tenth of this finds.
_SAMPLED: Final = "using sample reservoir(100000 rows) repeatable (1)"
# Of fewer than ten events no share says anything.
_ACTIVE_USERS: Final = f"""
    select
        *,
        case when impressions >= 10 then clicks / impressions end as clicks_by_impressions,
        case when events >= 10 then events end as enough
    from features.user_features
    where as_of > $1::timestamp and as_of <= $2::timestamp
    {_SAMPLED}
"""  # noqa: S608 - a constant
_ITEMS: Final = f"""
    select
        case when impressions >= 50 then click_through end as click_through,
        case when ratings >= 5 then average_rating end as average_rating,
        average_score
    from features.item_features
    where as_of > $1::timestamp and as_of <= $2::timestamp
    {_SAMPLED}
"""  # noqa: S608
_CATEGORIES: Final = f"""
    select category, count(*) as users
    from (select unnest(map_keys(category_affinity)) as category from ({_ACTIVE_USERS}))
    group by category
    order by users desc, category
    limit {MOST_CATEGORIES}
"""  # noqa: S608
_AS_THEY_ARE: Final = (
    "average_score", "clicks_by_impressions",
    "is_device_desktop", "is_device_mobile", "is_device_tablet", "is_device_other",
    "is_device_unknown", "is_platform_web", "is_platform_ios", "is_platform_android",
    "is_platform_macos", "is_platform_windows", "is_platform_linux", "is_platform_other",
    "is_platform_unknown",
)  # fmt: skip
_OF_EVENTS: Final = ("views", "uses", "likes", "dismissals", "ratings", "conversions")
_A_DAY: Final = ("events", "sessions")

LOOKS_SCHEMA: Final = pl.Schema(
    {
        "feature": pl.String(),
        "measured_at": pl.Datetime("us", "UTC"),
        "reference_version": pl.String(),
        "users": pl.Int64(),
        "psi": pl.Float64(),
        "ks": pl.Float64(),
        "ks_p_value": pl.Float64(),
        "is_drifted": pl.Boolean(),
    }
)


def feature_reference(query: Query) -> FeatureReference | None:
    """Describe the features as they are, to be kept with the model that learns them.

    Args:
        query: runs SQL over the tables; takes naive UTC times, returns UTC times.

    Returns:
        None where there are no events.
    """
    until = settled(query)
    if until is None:
        return None
    categories = query(_CATEGORIES, _span(until))["category"].to_list()
    return reference_of(_frames(query, until, categories), until)


def is_due(lake: Lake, until: datetime, rules: FeatureRules) -> bool:
    """Return whether it is time for another look."""
    content = lake.find(keys.feature_looked_at())
    if content is None:
        return True
    return until - datetime.fromisoformat(orjson.loads(content)["until"]) >= rules.every


def look_at_features(
    lake: Lake,
    query: Query,
    until: datetime,
    reference: FeatureReference,
    version: str,
    rules: MonitoringRules,
) -> list[DriftEvent]:
    """Hold the features against those of a training; keep what was seen, and what has drifted.

    Args:
        lake: where the looks are kept.
        query: see `feature_reference`.
        until: up to when to look (UTC).
        reference: those of the training.
        version: the model's.
        rules: when a feature has drifted, and what follows.

    Returns:
        The features that have drifted since the look before.
    """
    # A run that died may have made this very look already.
    earlier = [look for look in load_looks(lake) if look.measured_at < until]
    categories = [
        name.removeprefix(f"{USER}.{AFFINITY}")
        for name in reference.features
        if name.startswith(f"{USER}.{AFFINITY}")
    ]
    present = {
        f"{kind}.{name}": described(frame[name], reference.features[f"{kind}.{name}"].edges)
        for kind, frame in _frames(query, until, categories).items()
        for name in frame.columns
        if f"{kind}.{name}" in reference.features
    }
    looks = compare(
        reference, present, earlier, version=version, measured_at=until, rules=rules.features
    )
    known = {(look.feature, look.reference_version) for look in earlier if look.is_drifted}
    new = [look for look in looks if (look.feature, look.reference_version) not in known]
    events = [
        replace(event, action=rules.action(event)) for event in drift_events(new, rules.features)
    ]
    keep_events(lake, events)
    _save(lake, [*earlier, *looks])
    lake.put(keys.feature_looked_at(), orjson.dumps({"until": until}), mode="overwrite")
    return events


def load_looks(lake: Lake) -> list[FeatureLook]:
    """Return what was seen at the last looks, oldest first."""
    content = lake.find(keys.feature_looks())
    stored = orjson.loads(content) if content is not None else []
    return [
        FeatureLook(**{**look, "measured_at": datetime.fromisoformat(look["measured_at"])})
        for look in stored
    ]


def looks_table(looks: Iterable[FeatureLook]) -> pl.DataFrame:
    """Return the rows of `metrics.feature_drift`."""
    rows = [{name: getattr(look, name) for name in LOOKS_SCHEMA} for look in looks]
    return pl.DataFrame(rows, schema=LOOKS_SCHEMA)


def _save(lake: Lake, looks: Sequence[FeatureLook]) -> None:
    times = sorted({look.measured_at for look in looks})[-MOST_LOOKS:]
    kept = [asdict(look) for look in looks if look.measured_at >= times[0]] if times else []
    lake.put(keys.feature_looks(), orjson.dumps(kept), mode="overwrite")


def _frames(query: Query, until: datetime, categories: Sequence[str]) -> Mapping[str, pl.DataFrame]:
    """Return what is watched of users and items."""
    users = query(
        f"""
        select
            {", ".join(_AS_THEY_ARE)},
            {", ".join(f"{name} / enough as {name}_by_events" for name in _OF_EVENTS)},
            {", ".join(f"{name} / active_days as {name}_a_day" for name in _A_DAY)},
            {"".join(_affinity(number) for number in range(len(categories)))}
        from ({_ACTIVE_USERS})
        """,  # noqa: S608 - names of our own; categories are parameters
        [*_span(until), *categories],
    )
    named = {f"affinity_{number}": f"{AFFINITY}{name}" for number, name in enumerate(categories)}
    return {USER: users.rename(named), ITEM: query(_ITEMS, _span(until))}


def _affinity(number: int) -> str:
    return f"""
        case when cardinality(category_affinity) > 0
            then coalesce(map_extract_value(category_affinity, ${number + 3}), 0)
        end as affinity_{number},
    """


def _span(until: datetime) -> list[Any]:
    return [time.astimezone(UTC).replace(tzinfo=None) for time in (until - ACTIVE_FOR, until)]
