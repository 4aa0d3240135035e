{#-
    Visits of people: what bots and bursts did stays in interactions alone.
    A bounce is a visit in which the user looked at one thing at most and did nothing with it.
-#}
{{ config(pre_hook="{{ forget_touched('session_id') }}") }}

with interactions as (

    select * from {{ ref('interactions') }}
    where session_id is not null and {{ is_by_a_person() }} and {{ is_touched('session_id') }}

)

select
    session_id,
    arg_min(user_id, row(occurred_at, event_id)) as user_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    count(*) as events,
    date_diff('millisecond', min(occurred_at), max(occurred_at)) / 1000.0::double as duration_seconds,
    count(*) filter (where {{ is_engagement() }}) = 0
    and count(*) filter (where event_type = 'item_viewed') <= 1 as is_bounce,
    arg_min(device_category, row(occurred_at, event_id)) as device_type,
    {{ staged_through() }} as batch_sequence
from interactions
group by session_id
-- A catalogue sends its updates in sessions of its own, in which no user ever was.
having count(user_id) > 0
