{{ config(
    pre_hook="{% if is_incremental() %}delete from {{ this }} where (user_id, item_id) in (select (user_id, item_id) from {{ ref('changes') }} where user_id is not null and item_id is not null){% endif %}",
    post_hook=[
        "{{ create_interactions_as_of() }}",
        "{{ create_user_feedback_as_of() }}",
        "{{ create_feedback_scores_as_of() }}",
        "{{ create_training_scores_as_of() }}",
        "{{ create_users_as_of() }}",
        "{{ create_items_as_of() }}"
    ]
) }}

-- depends_on: {{ ref('changes') }}

with user_feedback as (

    select * from {{ ref('user_feedback') }}
    {% if is_incremental() -%}
    where (user_id, item_id) in (
        select (user_id, item_id) from {{ ref('changes') }}
        where user_id is not null and item_id is not null
    )
    {%- endif %}

),

score_rules as (

    select * from {{ ref('score_rules') }}

)

select
    *,
    {{ staged_through() }} as batch_sequence
from (
    {{ feedback_scores('user_feedback', 'score_rules') }}
)
