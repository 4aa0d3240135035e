"""The sums over exposed users that statistics see, from the tables.

What a user did counts from the first exposure on, so each has a beginning of their own; what they
did before it, as far back as the design says, is their past, for CUPED. Clicks, dismissals and
visits are those of `adjustment.rules.metrics`, where each is defined once. A visit counts where it
ends: the one in which the user was exposed is the first after it. Users who did nothing count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from feedback_platform.adjustment.rules import metrics as observed
from feedback_platform.adjustment.rules.metrics import AT_ONCE, SETTLING, VISITED, WITHIN
from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.metrics import METRICS, Kind
from feedback_platform.experiments.sums import (
    COUNT,
    COUNT_BEFORE,
    TOTAL,
    TOTAL_BEFORE,
    Sums,
    pairs,
)
from feedback_platform.experiments.tables import EXPOSED, Tables, naive

_SINCE: Final = "occurred_at >= exposed_at"
_BEFORE: Final = "occurred_at < exposed_at and occurred_at >= exposed_at - $3::interval"
# Nobody's past is asked for.
_NOTHING: Final = timedelta(0)


@dataclass(frozen=True)
class Observed:
    """How a metric is observed.

    Attributes:
        rows: the query of observations between $1, left out, and $2, taken in; columns user_id,
            occurred_at, value.
        settling: how old an observation must be to count.
        since, before: what a user's observations come to, since the first exposure and before it.
    """

    rows: str
    settling: timedelta = AT_ONCE
    since: str = f"coalesce(sum(value) filter ({_SINCE}), 0)"
    before: str = f"coalesce(sum(value) filter ({_BEFORE}), 0)"


def _events(event_type: str, value: str = "1.0") -> str:
    return f"""
        select user_id, occurred_at, {value} as value
        from interaction.interactions
        where event_type = '{event_type}' and {WITHIN}
    """  # noqa: S608 - put together from what stands in this file


_VISITS: Final = f"select user_id, ended_at as occurred_at, 1.0 as value {VISITED}"
_OBSERVED: Final[Mapping[str, Observed]] = {
    **{name: Observed(each.observed, each.settling) for name, each in observed.METRICS.items()},
    "converting_users": Observed(
        _events("item_converted"),
        since=f"(count(value) filter ({_SINCE}) > 0)::double",
        before=f"(count(value) filter ({_BEFORE}) > 0)::double",
    ),
    "returning_users": Observed(
        _VISITS,
        SETTLING,
        since=f"(count(value) filter ({_SINCE} and occurred_at::date > exposed_at::date) > 0)"
        "::double",
        # Who came on several days is who comes back.
        before=f"(count(distinct occurred_at::date) filter ({_BEFORE}) > 1)::double",
    ),
    "visits_per_user": Observed(_VISITS, SETTLING),
    "clicks_per_user": Observed(_events("item_clicked")),
    "conversions_per_user": Observed(_events("item_converted")),
    "revenue_per_user": Observed(_events("item_converted", "coalesce(value, 0)")),
}


def observe_metrics(
    tables: Tables, experiment: Experiment, since: datetime, until: datetime, newest: datetime
) -> dict[str, dict[str, Sums]]:
    """Return metric → variant → sums over the users that `exposure.keep_exposed` has kept.

    Args:
        tables: of the layers.
        experiment: which.
        since, until: of the exposures (UTC).
        newest: when the newest event happened that is known (UTC).
    """
    return {
        metric: _observe(tables, experiment, metric, since, min(until, newest - settling))
        for metric in experiment.metrics
        for settling in [_OBSERVED[metric].settling]
    }


def _observe(
    tables: Tables, experiment: Experiment, metric: str, since: datetime, until: datetime
) -> dict[str, Sums]:
    """Return variant → sums of one metric; only what happened in the experiment's time is read."""
    window = experiment.design.cuped_window
    figures = _figures(METRICS[metric].kind, has_past=window is not None)
    begins = since - (window or _NOTHING) - timedelta(microseconds=1)
    parameters: list[Any] = [naive(begins), naive(until)]
    if window is not None:
        parameters.append(window)
    rows = tables.query(_sql(metric, figures), parameters)
    return {row.pop("variant"): _sums(row, figures) for row in rows.to_dicts()}


def _figures(kind: Kind, *, has_past: bool) -> tuple[str, ...]:
    now = (TOTAL, COUNT) if kind is Kind.RATIO else (TOTAL,)
    past = (TOTAL_BEFORE, COUNT_BEFORE) if kind is Kind.RATIO else (TOTAL_BEFORE,)
    return (*now, *past) if has_past else now


def _sql(metric: str, figures: tuple[str, ...]) -> str:
    """Return the query; every part of it stands in this package, values are parameters."""
    defined = _OBSERVED[metric]
    of_a_user = {
        TOTAL: defined.since,
        COUNT: f"count(value) filter ({_SINCE})::double",
        TOTAL_BEFORE: defined.before,
        COUNT_BEFORE: f"count(value) filter ({_BEFORE})::double",
    }
    chosen = ", ".join(f"{of_a_user[name]} as {name}" for name in figures)
    sums = ", ".join(f"sum({name})::double as {name}" for name in figures)
    products = ", ".join(
        f"sum({first} * {last})::double as {_name(first, last)}" for first, last in pairs(figures)
    )
    return f"""
        with observed as ({defined.rows}),

        by_user as (
            select exposed.variant, {chosen}
            from {EXPOSED} as exposed
            left join observed on observed.user_id = exposed.user_id
            where exposed.excluded is null
            group by exposed.user_id, exposed.variant
        )

        select variant, count(*) as users, {sums}, {products} from by_user group by variant
    """  # noqa: S608


def _sums(row: Mapping[str, Any], figures: tuple[str, ...]) -> Sums:
    return Sums(
        row["users"],
        {name: row[name] for name in figures},
        {(first, last): row[_name(first, last)] for first, last in pairs(figures)},
    )


def _name(first: str, last: str) -> str:
    return f"{first}_by_{last}"
