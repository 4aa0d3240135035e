{#- An item's features as of its last event; the definition is in macros/features.sql. -#}
{{ config(
    pre_hook="{{ forget_touched('item_id') }}",
    post_hook="{% if not is_incremental() %}{{ create_item_features_as_of() }}{% endif %}"
) }}

with item_days as (

    select * from {{ ref('item_days') }}
    where {{ is_touched('item_id') }}

),

item_opinions as (

    select * from {{ ref('item_opinions') }}

),

items as (

    select * from {{ ref('items') }}

)

select
    *,
    {{ staged_through() }} as batch_sequence
from (
    {{ item_features('item_days', 'item_opinions', 'items') }}
)
