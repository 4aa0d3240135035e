{#-
    Visits of people: what bots and bursts did stays in interactions alone. So do sessions in which no
    user ever was, as of a catalogue that sends its updates.
    A bounce is a visit in which the user looked at one thing at most and did nothing with it.
-#}
{{ config(pre_hook="{{ forget_touched_by_hash('session_id') }}") }}

with activity as (

    select * from {{ ref('activity') }}
    where session_id is not null and is_by_a_person and {{ is_touched_by_hash(ref('activity'), 'session_id') }}

)

select
    session_id,
    arg_min(user_id, row(first_at, first_event_id)) as user_id,
    min(first_at) as started_at,
    max(last_at) as ended_at,
    cast(sum(events) as bigint) as events,
    date_diff('millisecond', min(first_at), max(last_at)) / 1000.0::double as duration_seconds,
    sum(engagements) = 0 and sum(views) <= 1 as is_bounce,
    arg_min(device_category, row(first_at, first_event_id)) as device_type,
    {{ hash_of('session_id') }} as session_id_hash,
    {{ staged_through() }} as batch_sequence
from activity
group by session_id
