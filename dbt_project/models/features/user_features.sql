{#-
    A user's features as of their last event; the definition is in macros/features.sql. An item
    whose categories change touches everybody who knows it.
-#}
{{ config(
    pre_hook="{{ forget_touched('user_id', touched=users_with_changed_features()) }}",
    post_hook=["{{ create_user_features_as_of() }}", "{{ create_inferred_ratings_as_of() }}"]
) }}

with touched as (

    {{ users_with_changed_features() }}

),

activity as (

    select * from {{ ref('activity') }}
    {% if is_incremental() -%}
    where user_id in (select user_id from touched)
    {%- endif %}

),

feedback_scores as (

    select * from {{ ref('feedback_scores') }}
    {% if is_incremental() -%}
    where user_id in (select user_id from touched)
    {%- endif %}

),

items as (

    select * from {{ ref('items') }}

)

select
    *,
    {{ staged_through() }} as batch_sequence
from (
    {{ user_features('activity', 'feedback_scores', 'items') }}
)
