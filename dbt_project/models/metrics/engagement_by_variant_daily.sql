{#-
    Engagement by day, experiment and variant. Users are in the variant into which they came first, from
    that moment on: of the day on which they came what followed counts, and then all that they do.
-#}
{{ config(pre_hook="{{ forget_touched('day', touched=touched_days()) }}") }}

with user_days as (

    select * from {{ ref('user_days') }}
    where {{ is_touched_metric_day() }}

),

members as (

    select user_histories.user_id, unnest(user_histories.exposures) as exposure
    from {{ ref('user_histories') }} as user_histories
    anti join {{ users_not_measured() }} as not_measured
        on user_histories.user_id = not_measured.user_id
    where len(user_histories.exposures) > 0

),

member_days as (

    select
        user_days.*,
        members.exposure.experiment_id as experiment_id,
        members.exposure.variant as variant,
        case when user_days.day = members.exposure.day then
            list_filter(
                user_days.exposures,
                lambda part: part.experiment_id = members.exposure.experiment_id
            )[1]
        end as first_day
    from user_days
    inner join members
        on user_days.user_id = members.user_id and user_days.day >= members.exposure.day

),

counted as (

    select
        day,
        experiment_id,
        variant,
        user_id,
        {% for figure in ['visits', 'visit_milliseconds', 'bounces', 'impressions', 'clicks', 'conversions'] -%}
        case when first_day is null then {{ figure }} else first_day.{{ figure }} end as {{ figure }}
        {{- ',' if not loop.last }}
        {% endfor %}
    from member_days

)

select
    day,
    experiment_id,
    variant,
    count(*) as users,
    cast(sum(visits) as bigint) as sessions,
    cast(sum(impressions) as bigint) as impressions,
    cast(sum(clicks) as bigint) as clicks,
    {{ share('sum(clicks)', 'sum(impressions)') }} as ctr,
    {{ share('sum(visit_milliseconds)', 'sum(visits) * 1000', 3) }} as session_seconds,
    {{ share('sum(bounces)', 'sum(visits)') }} as bounce_rate,
    cast(sum(conversions) as bigint) as conversions
from counted
group by day, experiment_id, variant
