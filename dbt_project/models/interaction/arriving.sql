{#-
    The rows that interactions get: new ones, those of an earlier delivery that replace what is
    stored, and those whose user or visit turned out to be another, or who are part of a burst now,
    or of none any more. Each is what a rebuild would make of it.

    The stored interactions are looked up by name, not by ref: they are built from this model.
-#}
{{ config(materialized='table', contract={'enforced': false}) }}

{% set stored = adapter.get_relation(
    database=this.database, schema='interaction', identifier='interactions'
) %}

with incoming as (

    select * from {{ ref('incoming') }}

),

devices as (

    select * from {{ ref('devices') }}

),

burst_limits as (

    select * from {{ ref('burst_limits') }}

),

owned as (

    select
        incoming.*,
        {{ owner_of_event('incoming.identified_user_id', 'devices.user_id', 'incoming.anonymous_id') }}
            as user_id
    from incoming
    left join devices on incoming.anonymous_id = devices.anonymous_id

),

{% if stored -%}
newest as (

    select {{ staged_through() }} as batch_sequence

),

moved_devices as (

    select * from devices where batch_sequence > {{ published_through() }}

),

stored as (

    select
        * exclude (
            user_id, session_id, is_identified, is_session_inferred, is_burst, burst_rule, burst_bound
        ),
        case when is_identified then user_id end as identified_user_id,
        case when not is_session_inferred then session_id end as sent_session_id,
        true as is_replacement,
        user_id,
        session_id as former_session_id,
        burst_rule as former_burst_rule
    from {{ stored }}

),

moved as (

    select
        stored.* exclude (user_id, batch_sequence, former_session_id, former_burst_rule),
        newest.batch_sequence,
        {{ owner_of_event('null', 'moved_devices.user_id', 'stored.anonymous_id') }} as user_id
    from stored
    inner join moved_devices on stored.anonymous_id = moved_devices.anonymous_id
    cross join newest
    where
        stored.identified_user_id is null
        -- Devices move soon after they were seen first: little of what is stored is looked at.
        and stored.occurred_at >= (select min(first_seen_at) from moved_devices)
        and stored.user_id
        is distinct from {{ owner_of_event('null', 'moved_devices.user_id', 'stored.anonymous_id') }}
        and stored.event_id not in (select event_id from incoming)
        and stored.event_id not in {{ withdrawn_events() }}

),

settled as (

    select * from owned
    union all by name
    select * from moved

),

leaving as (

    select stored.user_id, stored.event_type, stored.occurred_at
    from settled
    inner join stored on settled.event_id = stored.event_id
    where settled.is_replacement
    union all
    select user_id, event_type, occurred_at
    from stored
    where event_id in {{ withdrawn_events() }}

),

touched_days as (

    select user_id, cast(occurred_at as date) as day
    from settled
    where {{ is_visited() }}
    union
    select user_id, cast(occurred_at as date) as day
    from leaving
    where {{ is_visited() }}

),

neighbours as (

    select stored.* exclude (batch_sequence), newest.batch_sequence, true as is_neighbour
    from stored
    cross join newest
    where
        {{ is_visited() }}
        and stored.occurred_at >= (select min(day) from touched_days)
        and (stored.user_id, cast(stored.occurred_at as date)) in (
            select (user_id, day) from touched_days
        )
        and stored.event_id not in (select event_id from settled)
        and stored.event_id not in {{ withdrawn_events() }}

),

acted as (

    select *, null as former_session_id, null as former_burst_rule, false as is_neighbour
    from settled
    where {{ is_visited() }}
    union all by name
    select * from neighbours

),
{%- else -%}
settled as (

    select * from owned

),

acted as (

    select *, null as former_session_id, null as former_burst_rule, false as is_neighbour
    from settled
    where {{ is_visited() }}

),
{%- endif %}

days as (

    select *, cast(occurred_at as date) as day
    from acted

),

judged as (

    {{ with_bursts('days', 'burst_limits') }}

),

sessionless as (

    select * from judged where sent_session_id is null

),

visits as (

    select *, true as is_session_inferred
    from ({{ with_visits('sessionless') }})
    union all by name
    select *, sent_session_id as session_id, false as is_session_inferred
    from judged
    where sent_session_id is not null

)

select * exclude (former_session_id, former_burst_rule, is_neighbour, day)
from visits
where
    not is_neighbour
    or former_session_id is distinct from session_id
    or former_burst_rule is distinct from burst_rule
union all by name
select
    *,
    sent_session_id as session_id,
    false as is_session_inferred,
    false as is_burst,
    null as burst_rule,
    null as burst_bound
from settled
where not {{ is_visited() }}
