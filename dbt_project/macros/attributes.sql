{#-
    The attributes of a user or an item: for each property the value that was said last.
    Expects a relation with the key column, occurred_at, event_id and properties.
-#}
{% macro latest_attributes(relation, key) -%}
    select
        {{ key }},
        {{ json_object_of('property', 'value') }} as attributes
    from (
        select
            {{ key }},
            property,
            {{ json_property('properties', 'property') }} as value
        from (
            select
                {{ key }},
                occurred_at,
                event_id,
                properties,
                unnest(json_keys(properties)) as property
            from {{ relation }}
            where properties is not null
        )
        qualify row_number() over (
            partition by {{ key }}, property order by occurred_at desc, event_id desc
        ) = 1
    )
    group by {{ key }}
{%- endmacro %}

{#- The one definition of a user's row: when they were seen, and what was said of them last. -#}
{% macro user_rows(seen, attributes) -%}
    select
        seen.user_id,
        seen.first_seen_at,
        seen.last_seen_at,
        cast(coalesce(said.attributes, '{}') as json) as attributes
    from {{ seen }} as seen
    left join {{ attributes }} as said on seen.user_id = said.user_id
{%- endmacro %}

{#- The one definition of an item's row, likewise. -#}
{% macro item_rows(seen, attributes) -%}
    select
        seen.item_id,
        said.attributes ->> 'title' as title,
        {{ categories('said.attributes') }} as categories,
        seen.first_seen_at,
        seen.last_seen_at,
        cast(coalesce(said.attributes, '{}') as json) as attributes
    from {{ seen }} as seen
    left join {{ attributes }} as said on seen.item_id = said.item_id
{%- endmacro %}

{#- The categories among an item's attributes; none when it says nothing of them that can be read. -#}
{% macro categories(attributes) -%}
    coalesce(
        list_filter(
            {{ json_texts(attributes, 'categories') }},
            lambda category: category is not null
        ),
        []
    )
{%- endmacro %}
