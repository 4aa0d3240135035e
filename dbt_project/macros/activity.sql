{#- The one definition of a user's activity, by day, visit and device, for the model and as of a time. -#}
{% macro activity(interactions) -%}
    select
        user_id,
        day,
        session_id,
        device_category,
        platform_category,
        {{ is_by_a_person() }} as is_by_a_person,
        min(occurred_at) as first_at,
        arg_min(event_id, row(occurred_at, event_id)) as first_event_id,
        max(occurred_at) as last_at,
        {{ event_counts() }},
        count(*) filter (where {{ is_engagement() }}) as engagements
    from {{ interactions }}
    where user_id is not null
    group by all
{%- endmacro %}

{#-
    The one definition of what happened to an item in a day. The first and the last event are of
    anybody; all counts are of people.
-#}
{% macro item_days(interactions) -%}
    select
        item_id,
        day,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        max(occurred_at) filter (where {{ is_by_a_person() }}) as last_person_at,
        {{ event_counts(is_by_a_person()) }},
        -- Only a rating is sure to fit the decimal; a filter would cast every value first.
        sum(cast(
            case when event_type = 'item_rated' and {{ is_by_a_person() }} then value end as decimal(18, 6)
        )) as rating_total
    from {{ interactions }}
    where item_id is not null
    group by item_id, day
{%- endmacro %}

{#- Counts of what happened, by type. -#}
{% macro event_counts(condition='true') -%}
    count(*) filter (where {{ condition }}) as events
    {%- for name, event_type in counted_types().items() %},
    count(*) filter (where event_type = '{{ event_type }}' and {{ condition }}) as {{ name }}
    {%- endfor %}
{%- endmacro %}

{#- The sums of those counts; the columns that user and item features share. -#}
{% macro event_totals() -%}
    cast(sum(events) as bigint) as events
    {%- for name in counted_types() %},
    cast(sum({{ name }}) as bigint) as {{ name }}
    {%- endfor %}
{%- endmacro %}

{% macro counted_types() -%}
    {{ return({
        'impressions': 'item_impression',
        'views': 'item_viewed',
        'clicks': 'item_clicked',
        'uses': 'item_used',
        'likes': 'item_liked',
        'dismissals': 'item_dismissed',
        'ratings': 'item_rated',
        'conversions': 'item_converted',
    }) }}
{%- endmacro %}
