{#- An item's features as of its last event. -#}
{{ config(pre_hook="{{ forget_touched('item_id') }}") }}

with interactions as (

    select * from {{ ref('interactions') }}
    where item_id is not null and {{ is_touched('item_id') }}

),

feedback_scores as (

    select * from {{ ref('feedback_scores') }}
    where {{ is_touched('item_id') }}

),

items as (

    select * from {{ ref('items') }}

),

activity as (

    select
        item_id,
        max(occurred_at) as as_of,
        {{ event_counts() }},
        count(distinct user_id) as users,
        -- Only a rating is sure to fit the decimal; a filter would cast every value first.
        avg(cast(case when event_type = 'item_rated' then value end as decimal(18, 6)))
            as average_rating
    from interactions
    group by item_id

),

opinions as (

    select
        item_id,
        count(*) filter (where feedback_score >= 0.5) as fans,
        {{ share(exact_sum('feedback_score * confidence'), exact_sum('confidence')) }} as average_score
    from feedback_scores
    group by item_id

)

select
    activity.item_id,
    activity.as_of,
    activity.events,
    activity.users,
    activity.impressions,
    activity.views,
    activity.clicks,
    activity.uses,
    activity.likes,
    activity.dismissals,
    activity.ratings,
    activity.conversions,
    {{ share('activity.clicks', 'activity.impressions') }} as click_through,
    round(cast(activity.average_rating as double), 9) as average_rating,
    coalesce(opinions.fans, 0) as fans,
    opinions.average_score,
    items.categories
from activity
inner join items on activity.item_id = items.item_id
left join opinions on activity.item_id = opinions.item_id
