{#-
    Engagement with recommended items by day, version of the model and placement. A click counts for
    its impression, and so for that one's version, day and placement, when it came within half an hour.
-#}
{{ config(pre_hook="{{ forget_touched('day', touched=touched_days()) }}") }}

with user_days as (

    select * from {{ ref('user_days') }}
    where {{ is_touched_metric_day() }}

),

recommended as (

    select user_days.day, user_days.user_id, unnest(user_days.recommended) as shown
    from user_days
    anti join {{ users_not_measured() }} as not_measured on user_days.user_id = not_measured.user_id

)

select
    day,
    shown.model_version as model_version,
    shown.placement as placement,
    cast(sum(shown.impressions) as bigint) as impressions,
    cast(sum(shown.clicks) as bigint) as clicks,
    {{ share('sum(shown.clicks)', 'sum(shown.impressions)') }} as ctr,
    count(distinct user_id) as users
from recommended
group by all
