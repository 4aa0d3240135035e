{#-
    The rows that interactions get: new ones, those of an earlier delivery that replace what is
    stored, and those whose user or visit turned out to be another, or who are part of a burst now,
    or of none any more. Each is what a rebuild would make of it.

    Visits and bursts are functions of what a user did on a day. So they are judged over the touched
    days of users, with the few columns that it takes; whole rows are fetched of those that differ.

    The stored interactions are looked up by name, not by ref: they are built from this model.
-#}
{{ config(materialized='table', contract={'enforced': false}) }}

{% set stored = stored_relation('interaction', 'interactions') %}
{% set judged_columns %}
        event_id,
        event_type,
        user_id,
        sent_session_id,
        occurred_at,
        day,
        raw_object,
        raw_row
{% endset %}

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

    select * from devices where batch_sequence > {{ completed_through() }}

),

-- A list of days, because the storage knows those; it does not look at an inequality with a subquery.
days_of_moved_devices as (

    select cast(unnest(range(
        (select date_trunc('day', min(first_seen_at)) from moved_devices),
        (select max(day) + 1 from {{ stored }})::timestamp,
        interval 1 day
    )) as date) as day

),

stored as not materialized (

    select
        * exclude (
            event_id_hash, session_id, is_identified, is_session_inferred, is_burst, burst_rule, burst_bound
        ),
        case when is_identified then user_id end as identified_user_id,
        case when not is_session_inferred then session_id end as sent_session_id,
        true as is_replacement,
        event_type as former_event_type,
        user_id as former_user_id,
        {{ nameless_device('is_identified', 'anonymous_id') }} as former_nameless_device,
        item_id as former_item_id,
        session_id as former_session_id,
        day as former_day,
        burst_rule as former_burst_rule,
        rowid as stored_row
    from {{ stored }}

),

-- First the columns that say which rows move, since the devices were first seen; then those rows.
moving as materialized (

    select *
    from stored
    where
        stored_row in (
            select rowid
            from {{ stored }}
            where
                day in (select day from days_of_moved_devices)
                and anonymous_id in (select anonymous_id from moved_devices)
                and not is_identified
        )

),

moved as (

    select
        moving.* exclude (user_id, batch_sequence, former_burst_rule, stored_row),
        newest.batch_sequence,
        {{ owner_of_event('null', 'moved_devices.user_id', 'moving.anonymous_id') }} as user_id
    from moving
    inner join moved_devices on moving.anonymous_id = moved_devices.anonymous_id
    cross join newest
    where
        moving.user_id
        is distinct from {{ owner_of_event('null', 'moved_devices.user_id', 'moving.anonymous_id') }}
        and moving.event_id not in (select event_id from incoming)
        and moving.event_id not in {{ withdrawn_events() }}

),

settled as (

    select * from owned
    union all by name
    select * from moved

),

touched_days as (

    select user_id, day
    from settled
    where {{ is_visited() }}
    union
    select former_user_id as user_id, former_day as day
    from settled
    where is_replacement and {{ is_visited('former_event_type') }}
    union
    select user_id, day
    from stored
    where event_id in {{ withdrawn_events() }} and {{ is_visited() }}

),

neighbours as (

    select
        {{ judged_columns }},
        former_session_id,
        former_burst_rule,
        stored_row,
        true as is_neighbour
    from stored
    where
        {{ is_visited() }}
        and day in (select day from touched_days)
        and (user_id, day) in (select (user_id, day) from touched_days)
        and event_id not in (select event_id from settled)
        and event_id not in {{ withdrawn_events() }}

),

{%- else -%}
settled as (

    select * from owned

),

{%- endif %}

acted as (

    select
        {{ judged_columns }},
        null as former_session_id,
        null as former_burst_rule,
        null as stored_row,
        false as is_neighbour
    from settled
    where {{ is_visited() }}
    {% if stored -%}
    union all by name
    select * from neighbours
    {%- endif %}

),

judged as (

    {{ with_bursts('acted', 'burst_limits') }}

),

sessionless as (

    select * from judged where sent_session_id is null

),

visits as (

    select *, true as is_session_inferred
    from ({{ with_visits('sessionless') }})
    union all
    select *, sent_session_id as session_id, false as is_session_inferred
    from judged
    where sent_session_id is not null

),

verdicts as (

    select
        event_id,
        session_id,
        is_session_inferred,
        is_burst,
        burst_rule,
        burst_bound,
        is_neighbour,
        stored_row
    from visits
    where
        not is_neighbour
        or former_session_id is distinct from session_id
        or former_burst_rule is distinct from burst_rule

)

select
    settled.*,
    coalesce(verdicts.session_id, settled.sent_session_id) as session_id,
    coalesce(verdicts.is_session_inferred, false) as is_session_inferred,
    coalesce(verdicts.is_burst, false) as is_burst,
    verdicts.burst_rule,
    verdicts.burst_bound
from settled
left join verdicts on settled.event_id = verdicts.event_id
{% if stored -%}
union all by name
select
    stored.* exclude (batch_sequence, former_burst_rule, stored_row),
    newest.batch_sequence,
    verdicts.session_id,
    verdicts.is_session_inferred,
    verdicts.is_burst,
    verdicts.burst_rule,
    verdicts.burst_bound
from stored
inner join verdicts on stored.stored_row = verdicts.stored_row
cross join newest
where verdicts.is_neighbour
{%- endif %}
