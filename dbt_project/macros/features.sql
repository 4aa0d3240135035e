{#-
    The one definition of a user's features: what they do, on what device, and how their liking is
    spread over the categories. They are as of the last of the activity that is given. Who switched
    personalisation off has none, and a signal that was switched off is counted as nothing; that
    something was done stays in the events, visits and days.
-#}
{% macro user_features(activity, feedback_scores, item_categories, user_preferences) -%}
    with done as (

        select
            user_id,
            max(last_at) as as_of,
            {{ event_totals() }},
            count(distinct session_id) as sessions,
            count(distinct day) as active_days
        from {{ activity }}
        where is_by_a_person
        group by user_id

    ),

    devices as (

        {{ most_frequent('device_category', activity) }}

    ),

    platforms as (

        {{ most_frequent('platform_category', activity) }}

    ),

    opinions as (

        select
            user_id,
            count(*) as items,
            {{ share(exact_sum('feedback_score * confidence'), exact_sum('confidence')) }} as average_score
        from {{ feedback_scores }}
        group by user_id

    ),

    shares as (

        {{ category_shares(feedback_scores, item_categories) }}

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
        done.user_id,
        done.as_of,
        done.events,
        done.sessions,
        done.active_days,
        done.impressions,
        {{ unless_switched_off('view', 'done.views') }} as views,
        {{ unless_switched_off('click', 'done.clicks') }} as clicks,
        {{ unless_switched_off('use', 'done.uses') }} as uses,
        {{ unless_switched_off('like', 'done.likes') }} as likes,
        {{ unless_switched_off('dismissal', 'done.dismissals') }} as dismissals,
        {{ unless_switched_off('rating', 'done.ratings') }} as ratings,
        {{ unless_switched_off('conversion', 'done.conversions') }} as conversions,
        coalesce(opinions.items, 0) as items,
        opinions.average_score,
        {{ one_hot('devices.device_category', 'device') }},
        {{ one_hot("coalesce(platforms.platform_category, 'unknown')", 'platform') }},
        coalesce(affinities.category_affinity, map()) as category_affinity
    from done
    left join devices on done.user_id = devices.user_id
    left join platforms on done.user_id = platforms.user_id
    left join opinions on done.user_id = opinions.user_id
    left join affinities on done.user_id = affinities.user_id
    left join {{ user_preferences }} as preferences on done.user_id = preferences.user_id
    where coalesce(preferences.personalisation, true)
{%- endmacro %}

{% macro unless_switched_off(signal, count) -%}
    case when list_contains(preferences.signals_off, '{{ signal }}') then 0 else {{ count }} end
{%- endmacro %}

{#-
    How each user's liking is spread over the categories. An item in several gives each of them an
    equal part of what its score is worth.
-#}
{% macro category_shares(feedback_scores, item_categories) -%}
    with liking as (

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

    )

    select
        user_id,
        category,
        {{ share('weight', 'sum(weight) over (partition by user_id)') }} as share
    from category_liking
{%- endmacro %}

{#- The category that most of a user's events have; of equal ones the first by name. -#}
{% macro most_frequent(category, activity) -%}
    select user_id, {{ category }}
    from {{ activity }}
    where is_by_a_person and {{ category }} is not null
    group by user_id, {{ category }}
    qualify row_number() over (
        partition by user_id order by sum(events) desc, {{ category }}
    ) = 1
{%- endmacro %}

{#- The one definition of an item's features, as of the last of the days that are given. -#}
{% macro item_features(item_days, item_opinions, item_categories) -%}
    with happened as (

        select
            item_id,
            max(last_person_at) as as_of,
            {{ event_totals() }},
            sum(rating_total) as rating_total
        from {{ item_days }}
        where last_person_at is not null
        group by item_id

    )

    select
        happened.item_id,
        happened.as_of,
        happened.events,
        coalesce(opinions.users, 0) as users,
        happened.impressions,
        happened.views,
        happened.clicks,
        happened.uses,
        happened.likes,
        happened.dismissals,
        happened.ratings,
        happened.conversions,
        {{ share('happened.clicks', 'happened.impressions') }} as click_through,
        {{ share('happened.rating_total', 'happened.ratings') }} as average_rating,
        coalesce(opinions.fans, 0) as fans,
        {{ share('opinions.score_total', 'opinions.confidence_total') }} as average_score,
        coalesce(items.categories, []) as categories
    from happened
    left join {{ item_categories }} as items on happened.item_id = items.item_id
    left join {{ item_opinions }} as opinions on happened.item_id = opinions.item_id
{%- endmacro %}

{#- Users with new events, and those who know an item whose attributes changed. -#}
{% macro users_with_changed_features() -%}
    {{ touched_keys('user_id') }}
    union all
    select scores.user_id
    from {{ ref('feedback_scores') }} as scores
    inner join {{ new_changes() }} as changes on scores.item_id = changes.item_id
    where changes.event_type = 'item_updated'
{%- endmacro %}
