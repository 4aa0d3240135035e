{{ config(pre_hook="{{ forget_touched('item_id') }}") }}

with interactions as (

    select * from {{ ref('interactions') }}
    where item_id is not null and {{ is_touched('item_id') }}

),

updates as (

    select item_id, occurred_at, event_id, properties
    from interactions
    where event_type = 'item_updated'

),

attributes as (

    {{ latest_attributes('updates', 'item_id') }}

),

seen as (

    select
        item_id,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at
    from interactions
    group by item_id

)

select
    seen.item_id,
    attributes.attributes ->> 'title' as title,
    {{ categories('attributes.attributes') }} as categories,
    seen.first_seen_at,
    seen.last_seen_at,
    cast(coalesce(attributes.attributes, '{}') as json) as attributes,
    {{ staged_through() }} as batch_sequence
from seen
left join attributes on seen.item_id = attributes.item_id
