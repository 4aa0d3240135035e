{{ config(
    pre_hook=[
        "{{ note_opinions(-1) }}",
        "{% if is_incremental() %}delete from {{ this }} where pair_key in ({{ touched_pairs() }}){% endif %}"
    ],
    post_hook=[
        "{{ note_opinions(1) }}",
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
    where pair_key in ({{ touched_pairs() }})
    {%- endif %}

),

score_rules as (

    select * from {{ ref('score_rules') }}

)

select
    *,
    {{ pair_key() }} as pair_key,
    {{ staged_through() }} as batch_sequence
from (
    {{ feedback_scores('user_feedback', 'score_rules') }}
)
