{{ config(pre_hook="{{ forget_touched('item_id') }}") }}

with item_days as (

    select * from {{ ref('item_days') }}
    where {{ is_touched('item_id') }}

),

updates as (

    select * from {{ ref('attribute_updates') }}
    where event_type = 'item_updated' and {{ is_touched('item_id') }}

),

attributes as (

    {{ latest_attributes('updates', 'item_id') }}

),

seen as (

    select
        item_id,
        min(first_at) as first_seen_at,
        max(last_at) as last_seen_at
    from item_days
    group by item_id

)

select
    *,
    {{ staged_through() }} as batch_sequence
from (
    {{ item_rows('seen', 'attributes') }}
)
