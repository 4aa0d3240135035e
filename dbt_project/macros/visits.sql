{#-
    Events that a visit is made of when the sender has no sessions: what a user does, not what a
    program reports about users and items.
-#}
{% macro is_visited(event_type='event_type') -%}
    {{ event_type }} not in ('user_updated', 'user_aliased', 'item_updated', 'consent_changed')
{%- endmacro %}

{#-
    Visits of events that came without a session: they end with half an hour of silence, and at
    midnight UTC. So they are a function of what one user did on one day, and a late event changes
    no more than that.
    Expects user_id, day, occurred_at and event_id; adds session_id.
-#}
{% macro with_visits(relation) -%}
    select
        * exclude (is_first, visit),
        'visit:' || user_id || '@' || strftime(
            first_value(occurred_at) over (
                partition by user_id, day, visit order by occurred_at, event_id
            ),
            '%Y-%m-%dT%H:%M:%S.%fZ'
        ) as session_id
    from (
        select
            *,
            sum(is_first::integer) over (
                partition by user_id, day order by occurred_at, event_id
            ) as visit
        from (
            select
                *,
                coalesce(
                    occurred_at > lag(occurred_at) over (
                        partition by user_id, day order by occurred_at, event_id
                    ) + interval 30 minutes,
                    true
                ) as is_first
            from {{ relation }}
        )
    )
{%- endmacro %}
