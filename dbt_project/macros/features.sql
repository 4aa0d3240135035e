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

{#- Users with new events, and those who know an item whose attributes changed. -#}
{% macro users_with_changed_features() -%}
    select user_id from {{ ref('changes') }} where user_id is not null
    union all
    select scores.user_id
    from {{ ref('feedback_scores') }} as scores
    inner join {{ ref('changes') }} as changes on scores.item_id = changes.item_id
    where changes.event_type = 'item_updated'
{%- endmacro %}
