{#- What a person does, one thing at a time; what a program shows or reports is not. -#}
{% macro is_deed() -%}
    ({{ is_engagement() }} or event_type in ('item_viewed', 'page_viewed'))
{%- endmacro %}

{#- As a condition on interactions: what counts in feedback, features and metrics. -#}
{% macro is_by_a_person() -%}
    not (is_bot or is_burst)
{%- endmacro %}

{#-
    What an importer read was recorded elsewhere, by clocks that may know no more than the second,
    or the day: it says nothing about how fast somebody was.
-#}
{% macro is_imported() -%}
    contains(raw_object, '/import-')
{%- endmacro %}

{#-
    Bursts: windows in which a user did more than a person can. A window lies within one day, so
    bursts, like visits, are a function of what one user did on one day.
    Expects the limits, and user_id, day, occurred_at, event_id, event_type, raw_object and raw_row of all that users
    did on the days in question; adds is_burst, burst_rule and burst_bound.
-#}
{% macro with_bursts(relation, burst_limits) -%}
    with deeds as (

        select
            acted.user_id,
            acted.day,
            acted.raw_object,
            acted.raw_row,
            limits.rule,
            limits.seconds,
            limits.deeds as allowed,
            {{ second_of_day('acted.occurred_at') }} // limits.seconds as part
        from {{ relation }} as acted
        cross join {{ burst_limits }} as limits
        where {{ is_deed() }} and not {{ is_imported() }}

    ),

    -- Few windows are full, and only there it matters what came in one message.
    crowded as (

        select user_id, day, rule, part
        from deeds
        group by user_id, day, rule, part
        having count(*) > any_value(allowed)

    ),

    exceeded as (

        select user_id, day, part, rule, seconds, allowed
        from deeds
        where (user_id, day, rule, part) in (select (user_id, day, rule, part) from crowded)
        group by user_id, day, part, rule, seconds, allowed
        having count(distinct row(raw_object, raw_row)) > allowed

    ),

    bursts as (

        select
            acted.event_id,
            arg_min(exceeded.rule, row(exceeded.seconds, exceeded.rule)) as rule,
            arg_min(exceeded.allowed, row(exceeded.seconds, exceeded.rule)) as allowed
        from {{ relation }} as acted
        inner join exceeded
            on
                acted.user_id = exceeded.user_id
                and acted.day = exceeded.day
                and {{ second_of_day('acted.occurred_at') }} // exceeded.seconds = exceeded.part
        group by acted.event_id

    )

    select
        acted.*,
        bursts.rule is not null as is_burst,
        bursts.rule as burst_rule,
        bursts.allowed as burst_bound
    from {{ relation }} as acted
    left join bursts on acted.event_id = bursts.event_id
{%- endmacro %}

{% macro second_of_day(time) -%}
    (
        extract(hour from {{ time }}) * 3600
        + extract(minute from {{ time }}) * 60
        + extract(second from {{ time }})
    )
{%- endmacro %}
