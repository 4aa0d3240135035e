{#- An item's features as of its last event; the definition is in macros/features.sql. -#}
{{ config(
    pre_hook="{{ forget_touched('item_id') }}",
    post_hook="{{ create_item_features_as_of() }}"
) }}

with interactions as (

    select * from {{ ref('interactions') }}
    where {{ is_touched('item_id') }}

),

feedback_scores as (

    select * from {{ ref('feedback_scores') }}
    where {{ is_touched('item_id') }}

),

items as (

    select * from {{ ref('items') }}

),

score_rules as (

    select * from {{ ref('score_rules') }}

)

select
    *,
    {{ staged_through() }} as batch_sequence
from (
    {{ item_features('interactions', 'feedback_scores', 'items', 'score_rules') }}
)
