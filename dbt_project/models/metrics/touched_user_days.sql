{#-
    The days of users whose figures may be other than they were. `is_recounted` are those of which an
    event came or went, or a click that may be of an impression shortly before midnight. The others count
    differently: in another variant of an experiment since a day, or, of whoever changed what they allow,
    now or no longer.

    The stored days are looked up by name, not by ref: they are built from this model.
-#}
{{ config(materialized='table') }}

{% set stored = stored_relation('metrics', 'user_days') %}

with changes as (

    select * from {{ new_changes() }} where user_id is not null

),

recounted as (

    select user_id, day from changes where day is not null
    union
    select user_id, day - 1 as day
    from changes
    where
        day is not null
        and event_type = 'item_clicked'
        and (occurred_at is null or {{ is_after_midnight('occurred_at') }})

),

seen_otherwise as (

    select user_id, min(day) as since
    from changes
    where day is not null and event_type = 'experiment_exposed'
    group by user_id
    union all
    select distinct user_id, cast('0001-01-01' as date) as since
    from changes
    where event_type = 'consent_changed'

),

touched as (

    select user_id, day, true as is_recounted from recounted
    {% if stored -%}
    union all
    select user_days.user_id, user_days.day, false as is_recounted
    from {{ stored }} as user_days
    inner join seen_otherwise
        on user_days.user_id = seen_otherwise.user_id and user_days.day >= seen_otherwise.since
    where user_days.{{ has_hash(stored, 'user_id', 'select user_id from seen_otherwise') }}
    {%- endif %}

)

select user_id, day, bool_or(is_recounted) as is_recounted
from touched
group by user_id, day
