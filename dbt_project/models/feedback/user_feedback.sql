{#-
    The article's feedback entity: one row for each event that says something about an item; the
    definition is in macros/user_feedback.sql.
-#}
{{ config(pre_hook="{{ forget_touched('feedback_id', touched='select event_id from ' ~ ref('changes')) }}") }}

-- depends_on: {{ ref('user_keys') }}
-- depends_on: {{ ref('item_keys') }}

-- depends_on: {{ ref('changes') }}

with interactions as (

    select * from {{ ref('interactions') }}
    {% if is_incremental() -%}
    where
        batch_sequence > {{ published_through() }}
        and event_id in (select event_id from {{ ref('changes') }})
    {%- endif %}

),

signal_weights as (

    select * from {{ ref('signal_weights') }}

),

score_rules as (

    select * from {{ ref('score_rules') }}

)

{{ user_feedback('interactions', 'signal_weights', 'score_rules') }}
