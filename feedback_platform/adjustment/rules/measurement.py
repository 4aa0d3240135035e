"""Measuring a metric at the places of a scope, between two times, from the tables.

Who switched off personalisation or research, by their latest word on it, is in no measurement, of
no time: what they did neither changes the product nor decides whether a change was good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from feedback_platform.adjustment.rules.definition import EACH, Place, Scope
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.metrics import CATEGORY, METRICS, PLACEMENT, SEGMENT
from feedback_platform.taking_part import TAKES_PART

# Runs SQL over the tables with parameters; takes naive UTC times.
Query = Callable[[str, list[Any]], pl.DataFrame]

# Whoever sends events can make up places; those of which most is known are looked at.
MOST_PLACES: Final = 1_000

# Dimension → its column, and what has to be joined for it.
_COLUMNS: Final = {
    "placement": "placement",
    "segment": "coalesce(segments.segment_id::varchar, 'unassigned')",
    "item": "item_id",
    "category": "category",
    "model_version": "model_version",
}
_JOINS: Final = {
    SEGMENT: "left join ml.user_segments as segments using (user_id)",
    CATEGORY: """
        inner join (
            select item_id, unnest(categories) as category from interaction.items
        ) as categories using (item_id)
    """,
}
# A visit is at every placement that it met.
_PLACED_VISITS: Final = """
    inner join (
        select distinct session_id, placement
        from interaction.interactions
        where
            session_id is not null
            and placement is not null
            and occurred_at > $1::timestamp - interval 1 day
            and occurred_at <= $2::timestamp
    ) as placed using (session_id)
"""


@dataclass(frozen=True)
class Span:
    """A stretch of time, its beginning left out, its end taken in (UTC)."""

    begins: datetime
    ends: datetime


def measure(query: Query, metric: str, scope: Scope, span: Span) -> Sequence[tuple[Place, Sample]]:
    """Return what was observed of a metric at each place of a scope.

    Args:
        query: runs SQL over the tables.
        metric: one of `METRICS`.
        scope: dimension → value, or `each`; an empty one is the whole product.
        span: when.

    Returns:
        Places with their samples, in the order of their names, `MOST_PLACES` at most; a scope
        without `each` is one place, even where nothing was observed.
    """
    if span.ends <= span.begins:
        found = []
    else:
        chosen = [value for value in scope.values() if value != EACH]
        rows = query(_sql(metric, scope), [_naive(span.begins), _naive(span.ends), *chosen])
        rows = rows.sort(*scope) if scope else rows
        found = [
            ({name: str(row.pop(name)) for name in scope}, Sample(**row)) for row in rows.to_dicts()
        ]
    if found or EACH in scope.values():
        return found
    return [({name: str(value) for name, value in scope.items()}, Sample())]


def _sql(metric: str, scope: Scope) -> str:
    """Return the query; every part of it stands in this package, values are parameters."""
    defined = METRICS[metric]
    joins = [_JOINS[name] for name in scope if name in _JOINS]
    if PLACEMENT in scope and defined.is_of_visits:
        joins.append(_PLACED_VISITS)
    columns = "".join(f"{_COLUMNS[name]} as {name}, " for name in scope)
    names = "".join(f"{name}, " for name in scope)
    fixed = [name for name, value in scope.items() if value != EACH]
    conditions = "".join(
        f" and {_COLUMNS[name]} = ${place}" for place, name in enumerate(fixed, start=3)
    )
    return f"""
        with observed as ({defined.observed}),

        by_user as (
            select {columns}user_id, count(*)::double as given, sum(observed.value) as total
            from observed {" ".join(joins)}
            where {TAKES_PART}{conditions}
            group by all
        )

        select
            {names}
            count(*) as users,
            sum(given)::bigint as count,
            sum(total) as total,
            sum(total * total) as total_squares,
            sum(total * given) as products,
            sum(given * given) as count_squares
        from by_user
        group by all
        having count(*) > 0
        order by sum(given) desc, {names}1
        limit {MOST_PLACES}
    """  # noqa: S608


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)
