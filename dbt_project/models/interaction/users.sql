{{ config(pre_hook="{{ forget_touched_by_hash('user_id') }}") }}

with activity as (

    select * from {{ ref('activity') }}
    where {{ is_touched_by_hash(ref('activity'), 'user_id') }}

),

seen as (

    select
        user_id,
        min(first_at) as first_seen_at,
        max(last_at) as last_seen_at
    from activity
    group by user_id

),

updates as (

    select * from {{ ref('attribute_updates') }}
    where event_type = 'user_updated' and user_id in (select user_id from seen)

),

attributes as (

    {{ latest_attributes('updates', 'user_id') }}

)

select
    *,
    {{ hash_of('user_id') }} as user_id_hash,
    {{ staged_through() }} as batch_sequence
from (
    {{ user_rows('seen', 'attributes') }}
)
