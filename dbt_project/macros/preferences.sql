{#-
    What users allow, by what they said last: the one definition, for the table and as of a time.

    Each event may say something of any switch: of `personalisation`, of `research`, and below
    `signals` of each signal by its name. `true` and `false` are read, as JSON has them or as texts in
    either case. Anything else says nothing, and neither does a signal that no weight is known for; so
    what counts is the latest event, by its time and then its id, that does say something of a
    switch. Whoever said nothing of a switch leaves it on.

    What was said on a device without naming a user goes on to hold for the device when it has an owner:
    who leaves again is asked for by the device's name, and has not taken back what they said.

    Expects user_id, nameless_device, occurred_at, event_id and properties of the events of type
    `consent_changed`.
-#}
{% macro user_preferences(statements, signal_weights) -%}
    with switches as (

        select 'personalisation' as switch, false as is_signal
        union all
        select 'research' as switch, false as is_signal
        union all
        select signal as switch, true as is_signal
        from {{ signal_weights }}

    ),

    statements as (

        select
            unnest(list_distinct([user_id, nameless_device])) as user_id,
            occurred_at,
            event_id,
            properties
        from {{ statements }}

    ),

    said as (

        select
            statements.user_id,
            statements.occurred_at,
            statements.event_id,
            switches.switch,
            switches.is_signal,
            case lower(
                (case
                    when switches.is_signal then statements.properties -> '/signals'
                    else statements.properties
                end) ->> ('/' || switches.switch)
            )
                when 'true' then true
                when 'false' then false
            end as is_on
        from statements
        cross join switches

    ),

    latest as (

        select
            user_id,
            switch,
            is_signal,
            arg_max(is_on, row(occurred_at, event_id)) as is_on,
            max(occurred_at) as changed_at
        from said
        where is_on is not null
        group by user_id, switch, is_signal

    )

    select
        user_id,
        coalesce(bool_and(is_on) filter (where not is_signal and switch = 'personalisation'), true)
            as personalisation,
        coalesce(bool_and(is_on) filter (where not is_signal and switch = 'research'), true)
            as research,
        coalesce(list(switch order by switch) filter (where is_signal and not is_on), [])
            as signals_off,
        max(changed_at) as changed_at
    from latest
    group by user_id
{%- endmacro %}

{#-
    The feedback that counts: none of who switched personalisation off, and of nobody that of a
    signal that they switched off. Readers of `feedback.user_feedback` see these rows alone, by the
    same condition in warehouse/preferences.py.
-#}
{% macro counted_feedback(user_feedback, user_preferences) -%}
    select *
    from {{ user_feedback }}
    anti join (
        select user_id from {{ user_preferences }} where not personalisation
    ) as opted_out using (user_id)
    anti join (
        select user_id, unnest(signals_off) as signal from {{ user_preferences }}
    ) as switched_off using (user_id, signal)
{%- endmacro %}

{#- Whoever said something new of what they allow, or took back what they had said. -#}
{% macro users_with_changed_preferences() -%}
    select user_id from {{ new_changes() }} where event_type = 'consent_changed' and user_id is not null
{%- endmacro %}
