{#-
    A user's features as of their last event; the definition is in macros/features.sql. An item
    whose categories change touches everybody who knows it.
-#}
{{ config(
    pre_hook="{{ forget_touched_by_hash('user_id', touched=users_with_changed_features()) }}",
    post_hook="{% if not is_incremental() %}{{ create_user_features_as_of() }}{{ create_inferred_ratings_as_of() }}{{ create_training_affinities_as_of() }}{% endif %}"
) }}

with touched as (

    {{ users_with_changed_features() }}

),

activity as (

    select * from {{ ref('activity') }}
    where {{ is_touched_by_hash(ref('activity'), 'user_id', 'select user_id from touched') }}

),

feedback_scores as (

    select * from {{ ref('feedback_scores') }}
    where {{ is_touched_by_hash(ref('feedback_scores'), 'user_id', 'select user_id from touched') }}

),

items as (

    select * from {{ ref('items') }}

),

user_preferences as (

    select * from {{ ref('user_preferences') }}
    where {{ is_touched_by_hash(ref('user_preferences'), 'user_id', 'select user_id from touched') }}

)

select
    *,
    {{ hash_of('user_id') }} as user_id_hash,
    {{ staged_through() }} as batch_sequence
from (
    {{ user_features('activity', 'feedback_scores', 'items', 'user_preferences') }}
)
