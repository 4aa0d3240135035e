{#- The device that an alias hands over: what it calls the previous id. -#}
{% macro aliased_device() -%}
    case when event_type = 'user_aliased' then nullif(properties ->> 'previous_id', '') end
{%- endmacro %}

{#- Every sign that a device is a known user's: an event that names both, or an alias. -#}
{% macro device_links(relation) -%}
    select anonymous_id, user_id, linked_at, event_id
    from (
        select
            unnest([anonymous_id, {{ aliased_device() }}]) as anonymous_id,
            identified_user_id as user_id,
            occurred_at as linked_at,
            event_id
        from {{ relation }}
        where identified_user_id is not null
    )
    where anonymous_id is not null
{%- endmacro %}

{#- Whose an event is: the user it names, or the owner of the device, or nobody known yet. -#}
{% macro owner_of_event(identified, owner, device) -%}
    coalesce({{ identified }}, {{ owner }}, 'anonymous:' || {{ device }})
{%- endmacro %}

{#- How the device is called that an event was sent from without naming a user; null for others. -#}
{% macro nameless_device(is_identified, device) -%}
    case when not ({{ is_identified }}) then 'anonymous:' || {{ device }} end
{%- endmacro %}
