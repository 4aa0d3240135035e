{#-
    The article's feedback entity: one row for each event that says something about an item; the
    definition is in macros/user_feedback.sql.
-#}
{{ config(
    pre_hook=["{{ forget_unfinished() }}", "{{ forget_leaving('feedback_id') }}"],
    post_hook="{% if not is_incremental() %}{{ enforce_feedback_keys() }}{% endif %}"
) }}

-- depends_on: {{ ref('user_keys') }}
-- depends_on: {{ ref('item_keys') }}

-- depends_on: {{ ref('changes') }}

with interactions as (

    select * from {{ ref('interactions') }}
    where {{ is_newly_stored() }}

),

signal_weights as (

    select * from {{ ref('signal_weights') }}

),

score_rules as (

    select * from {{ ref('score_rules') }}

)

select
    *,
    cast("timestamp" as date) as day,
    {{ hash_of('feedback_id') }} as feedback_id_hash,
    {{ hash_of('user_id') }} as user_id_hash,
    {{ pair_hash() }} as pair_hash
from (
    {{ user_feedback('interactions', 'signal_weights', 'score_rules') }}
)
