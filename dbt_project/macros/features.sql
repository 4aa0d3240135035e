{#- Counts of what happened, by type; the columns that user and item features share. -#}
{% macro event_counts() -%}
    count(*) as events,
    count(*) filter (where event_type = 'item_impression') as impressions,
    count(*) filter (where event_type = 'item_viewed') as views,
    count(*) filter (where event_type = 'item_clicked') as clicks,
    count(*) filter (where event_type = 'item_used') as uses,
    count(*) filter (where event_type = 'item_liked') as likes,
    count(*) filter (where event_type = 'item_dismissed') as dismissals,
    count(*) filter (where event_type = 'item_rated') as ratings,
    count(*) filter (where event_type = 'item_converted') as conversions
{%- endmacro %}

{#-
    The one definition of a user's features: what they do, on what device, and how their liking is
    spread over the categories. They are as of the last of the events that are given.
-#}
{% macro user_features(interactions, feedback_scores, item_categories) -%}
    with activity as (

        select
            user_id,
            max(occurred_at) as as_of,
            {{ event_counts() }},
            count(distinct session_id) as sessions,
            count(distinct cast(occurred_at as date)) as active_days,
            mode(device_category order by device_category) as main_device,
            coalesce(mode(platform_category order by platform_category), 'unknown') as main_platform
        from {{ interactions }}
        where user_id is not null and {{ is_by_a_person() }}
        group by user_id

    ),

    opinions as (

        select
            user_id,
            count(*) as items,
            {{ share(exact_sum('feedback_score * confidence'), exact_sum('confidence')) }} as average_score
        from {{ feedback_scores }}
        group by user_id

    ),

    liking as (

        select
            feedback_scores.user_id,
            unnest(items.categories) as category,
            feedback_scores.feedback_score * feedback_scores.confidence / len(items.categories) as weight
        from {{ feedback_scores }} as feedback_scores
        inner join {{ item_categories }} as items on feedback_scores.item_id = items.item_id
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
        {{ one_hot('activity.main_device', 'device') }},
        {{ one_hot('activity.main_platform', 'platform') }},
        coalesce(affinities.category_affinity, map()) as category_affinity
    from activity
    left join opinions on activity.user_id = opinions.user_id
    left join affinities on activity.user_id = affinities.user_id
{%- endmacro %}

{#- The one definition of an item's features, as of the last of the events that are given. -#}
{% macro item_features(interactions, feedback_scores, item_categories, score_rules) -%}
    with activity as (

        select
            item_id,
            max(occurred_at) as as_of,
            {{ event_counts() }},
            count(distinct user_id) as users,
            -- Only a rating is sure to fit the decimal; a filter would cast every value first.
            avg(cast(case when event_type = 'item_rated' then value end as decimal(18, 6)))
                as average_rating
        from {{ interactions }}
        where item_id is not null and {{ is_by_a_person() }}
        group by item_id

    ),

    opinions as (

        select
            item_id,
            count(*) filter (where feedback_score >= {{ rule('fan_score', score_rules) }}) as fans,
            {{ share(exact_sum('feedback_score * confidence'), exact_sum('confidence')) }} as average_score
        from {{ feedback_scores }}
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
        coalesce(items.categories, []) as categories
    from activity
    left join {{ item_categories }} as items on activity.item_id = items.item_id
    left join opinions on activity.item_id = opinions.item_id
{%- endmacro %}

{#- Users with new events, and those who know an item whose attributes changed. -#}
{% macro users_with_changed_features() -%}
    select user_id from {{ ref('changes') }} where user_id is not null
    union all
    select scores.user_id
    from {{ ref('feedback_scores') }} as scores
    inner join {{ ref('changes') }} as changes on scores.item_id = changes.item_id
    where changes.event_type = 'item_updated'
{%- endmacro %}
