"""The metrics that rules may watch, each defined once: what is observed, where, and when it counts.

A definition is a query of observations, one a row, between two times ($1, left out, and $2, taken
in). What programs did counts nowhere (`is_bot`, `is_burst`).

A click follows its impression by seconds or minutes. So an impression counts once half an hour has
passed, and as clicked when the click came within that half hour: old and new impressions are alike,
which a comparison of before and after needs. A visit counts half an hour after its last event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

SETTLING: Final = timedelta(minutes=30)
AT_ONCE: Final = timedelta(0)

PLACEMENT: Final = "placement"
SEGMENT: Final = "segment"
ITEM: Final = "item"
CATEGORY: Final = "category"
MODEL_VERSION: Final = "model_version"


@dataclass(frozen=True)
class Metric:
    """A rate or a mean over observations.

    Attributes:
        observed: the query; columns user_id, occurred_at, value, and what its dimensions need. A
            visit is of when it ended.
        means: what numerator and denominator are, in words.
        dimensions: what its scope may name.
        is_proportion: whether each observation is 0 or 1.
        is_better_high: whether more of it is good.
        low, high: where values lie.
        settling: how old an observation must be to count.
    """

    observed: str
    means: str
    dimensions: tuple[str, ...]
    is_proportion: bool
    is_better_high: bool
    low: float
    high: float
    settling: timedelta

    @property
    def is_of_visits(self) -> bool:
        """Whether an observation is a visit."""
        return self.dimensions == _VISITS


# What people did between the two times, and the visits that ended there.
WITHIN: Final = """
    not (is_bot or is_burst)
    and user_id is not null
    and occurred_at > $1::timestamp
    and occurred_at <= $2::timestamp
"""
VISITED: Final = """
    from interaction.sessions
    where
        started_at > $1::timestamp - interval 1 day
        and ended_at > $1::timestamp
        and ended_at <= $2::timestamp
"""
_IMPRESSIONS: Final = (PLACEMENT, SEGMENT, ITEM, CATEGORY, MODEL_VERSION)
_VISITS: Final = (PLACEMENT, SEGMENT)
_ITEMS: Final = (SEGMENT, ITEM, CATEGORY)

_SHOWN: Final = f"""
    select
        user_id,
        session_id,
        item_id,
        recommendation_id,
        occurred_at,
        coalesce(placement, 'none') as placement,
        coalesce(properties ->> '/model_version', 'none') as model_version
    from interaction.interactions
    where event_type = 'item_impression' and recommendation_id is not null and {WITHIN}
"""  # noqa: S608 - put together from what stands in this file
_GIVEN: Final = f"from interaction.interactions where {WITHIN}"

METRICS: Final[dict[str, Metric]] = {
    "click_through_rate": Metric(
        observed=f"""
            select shown.*, exists (
                from interaction.interactions as answers
                where
                    answers.event_type = 'item_clicked'
                    and not (answers.is_bot or answers.is_burst)
                    and answers.occurred_at > $1::timestamp
                    and answers.occurred_at <= $2::timestamp + interval 30 minutes
                    and answers.recommendation_id = shown.recommendation_id
                    and answers.item_id = shown.item_id
                    and answers.occurred_at <= shown.occurred_at + interval 30 minutes
            )::double as value
            from ({_SHOWN}) as shown
        """,  # noqa: S608
        means="impressions clicked within half an hour / impressions with a recommendation id",
        dimensions=_IMPRESSIONS,
        is_proportion=True,
        is_better_high=True,
        low=0,
        high=1,
        settling=SETTLING,
    ),
    "dismiss_rate": Metric(
        # A dismissal need not name the recommendation; then it is that of the same visit.
        observed=f"""
            select shown.*, exists (
                from interaction.interactions as answers
                where
                    answers.event_type = 'item_dismissed'
                    and not (answers.is_bot or answers.is_burst)
                    and answers.occurred_at > $1::timestamp
                    and answers.occurred_at <= $2::timestamp + interval 30 minutes
                    and answers.session_id = shown.session_id
                    and answers.item_id = shown.item_id
                    and answers.occurred_at <= shown.occurred_at + interval 30 minutes
                    and coalesce(answers.recommendation_id, shown.recommendation_id)
                    = shown.recommendation_id
            )::double as value
            from ({_SHOWN}) as shown
        """,  # noqa: S608
        means="impressions dismissed within half an hour / impressions with a recommendation id",
        dimensions=_IMPRESSIONS,
        is_proportion=True,
        is_better_high=False,
        low=0,
        high=1,
        settling=SETTLING,
    ),
    "bounce_rate": Metric(
        observed=f"""
            select user_id, session_id, ended_at as occurred_at, is_bounce::double as value
            {VISITED}
        """,
        means="visits that bounced / visits",
        dimensions=_VISITS,
        is_proportion=True,
        is_better_high=False,
        low=0,
        high=1,
        settling=SETTLING,
    ),
    "session_seconds": Metric(
        observed=f"""
            select user_id, session_id, ended_at as occurred_at, duration_seconds as value
            {VISITED}
        """,
        means="seconds of visits / visits",
        dimensions=_VISITS,
        is_proportion=False,
        is_better_high=True,
        low=0,
        high=86_400,
        settling=SETTLING,
    ),
    "conversion_rate": Metric(
        observed=f"""
            select user_id, session_id, ended_at as occurred_at, session_id in (
                select session_id from interaction.interactions
                where
                    event_type = 'item_converted'
                    and not (is_bot or is_burst)
                    and session_id is not null
                    and occurred_at > $1::timestamp - interval 1 day
                    and occurred_at <= $2::timestamp
            )::double as value
            {VISITED}
        """,  # noqa: S608
        means="visits in which something was converted / visits",
        dimensions=_VISITS,
        is_proportion=True,
        is_better_high=True,
        low=0,
        high=1,
        settling=SETTLING,
    ),
    "dwell_seconds": Metric(
        observed=f"""
            select user_id, item_id, occurred_at, cleaned_value / 1000 as value {_GIVEN}
            and event_type = 'item_viewed' and cleaned_value is not null
            and not (is_imputed or is_outlier)
        """,
        means="seconds of views, neither filled in nor outliers / such views",
        dimensions=_ITEMS,
        is_proportion=False,
        is_better_high=True,
        low=0,
        high=86_400,
        settling=AT_ONCE,
    ),
    "average_rating": Metric(
        observed=f"""
            select user_id, item_id, occurred_at, value {_GIVEN}
            and event_type = 'item_rated' and value is not null
        """,
        means="stars / ratings",
        dimensions=_ITEMS,
        is_proportion=False,
        is_better_high=True,
        low=0,
        high=5,
        settling=AT_ONCE,
    ),
    "net_promoter_share": Metric(
        observed=f"""
            select
                user_id, occurred_at, (value >= 9)::double - (value <= 6)::double as value
            {_GIVEN}
            and event_type = 'survey_answered' and properties ->> 'survey' = 'nps'
            and value is not null
        """,
        means="promoters (9, 10) less detractors (0 to 6) / answers, from -1 to 1",
        dimensions=(SEGMENT,),
        is_proportion=False,
        is_better_high=True,
        low=-1,
        high=1,
        settling=AT_ONCE,
    ),
}
