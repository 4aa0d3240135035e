{{ config(
    pre_hook="{% if is_incremental() %}delete from {{ this }} where {{ is_touched_pair(this, has_hash(this, 'user_id', touched_keys('user_id'))) }}{% endif %}",
    post_hook="{% if not is_incremental() %}{{ note_opinions() }}{{ create_layers_as_of() }}{% endif %}"
) }}

-- depends_on: {{ ref('changes') }}

with user_feedback as (

    select * from {{ ref('user_feedback') }}
    {% if is_incremental() -%}
    where {{ is_touched_pair(ref('user_feedback'), has_pair_hash(ref('user_feedback'))) }}
    {%- endif %}

),

user_preferences as (

    select * from {{ ref('user_preferences') }}
    where {{ is_touched_by_hash(ref('user_preferences'), 'user_id') }}

),

counted as (

    {{ counted_feedback('user_feedback', 'user_preferences') }}

),

score_rules as (

    select * from {{ ref('score_rules') }}

)

select
    *,
    {{ hash_of('user_id') }} as user_id_hash,
    {{ staged_through() }} as batch_sequence
from (
    {{ feedback_scores('counted', 'score_rules') }}
)
-- A user's rows apart from each other: a hash that repeats itself is compressed by runs, and takes
-- three times as long to read.
order by item_id
