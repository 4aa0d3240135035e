{{ config(pre_hook="{{ forget_touched('user_id') }}") }}

with interactions as (

    select * from {{ ref('interactions') }}
    where user_id is not null and {{ is_touched('user_id') }}

),

updates as (

    select user_id, occurred_at, event_id, properties
    from interactions
    where event_type = 'user_updated'

),

attributes as (

    {{ latest_attributes('updates', 'user_id') }}

),

seen as (

    select
        user_id,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at
    from interactions
    group by user_id

)

select
    seen.user_id,
    seen.first_seen_at,
    seen.last_seen_at,
    cast(coalesce(attributes.attributes, '{}') as json) as attributes,
    {{ staged_through() }} as batch_sequence
from seen
left join attributes on seen.user_id = attributes.user_id
