{#-
    A user's features as of their last event: what they do, on what device, and how their liking is
    spread over the categories. An item whose categories change touches everybody who knows it.
-#}
{{ config(pre_hook="{{ forget_touched('user_id', touched=users_with_changed_features()) }}") }}

with touched as (

    {{ users_with_changed_features() }}

),

interactions as (

    select * from {{ ref('interactions') }}
    where
        user_id is not null
        {% if is_incremental() -%}
        and user_id in (select user_id from touched)
        {%- endif %}

),

feedback_scores as (

    select * from {{ ref('feedback_scores') }}
    {% if is_incremental() -%}
    where user_id in (select user_id from touched)
    {%- endif %}

),

items as (

    select * from {{ ref('items') }}

),

activity as (

    select
        user_id,
        max(occurred_at) as as_of,
        {{ event_counts() }},
        count(distinct session_id) as sessions,
        count(distinct cast(occurred_at as date)) as active_days,
        mode(device_category order by device_category) as main_device
    from interactions
    group by user_id

),

opinions as (

    select
        user_id,
        count(*) as items,
        {{ share(exact_sum('feedback_score * confidence'), exact_sum('confidence')) }} as average_score
    from feedback_scores
    group by user_id

),

liking as (

    select
        feedback_scores.user_id,
        unnest(items.categories) as category,
        feedback_scores.feedback_score * feedback_scores.confidence / len(items.categories) as weight
    from feedback_scores
    inner join items on feedback_scores.item_id = items.item_id
    where len(items.categories) > 0

),

category_liking as (

    select user_id, category, {{ exact_sum('weight') }} as weight
    from liking
    group by user_id, category

),

shares as (

    select
        user_id,
        category,
        {{ share('weight', 'sum(weight) over (partition by user_id)') }} as share
    from category_liking

),

affinities as (

    select
        user_id,
        map_from_entries(list((category, share) order by category)) as category_affinity
    from shares
    where share > 0
    group by user_id

)

select
    activity.user_id,
    activity.as_of,
    activity.events,
    activity.sessions,
    activity.active_days,
    activity.impressions,
    activity.views,
    activity.clicks,
    activity.uses,
    activity.likes,
    activity.dismissals,
    activity.ratings,
    activity.conversions,
    coalesce(opinions.items, 0) as items,
    opinions.average_score,
    (activity.main_device = 'desktop')::integer as is_device_desktop,
    (activity.main_device = 'mobile')::integer as is_device_mobile,
    (activity.main_device = 'tablet')::integer as is_device_tablet,
    (activity.main_device = 'other')::integer as is_device_other,
    (activity.main_device = 'unknown')::integer as is_device_unknown,
    coalesce(affinities.category_affinity, map()) as category_affinity
from activity
left join opinions on activity.user_id = opinions.user_id
left join affinities on activity.user_id = affinities.user_id
