{#-
    The article's feedback entity: one row for each event that says something about an item.
    A score from 0 to 1, and how much it is believed. An imputed value is believed half as much,
    an outlier not at all.
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

)

select
    interactions.event_id as feedback_id,
    interactions.user_id,
    interactions.item_id,
    round(
        signal_weights.score_low
        + coalesce(interactions.normalised_value, 0.5)
        * (signal_weights.score_high - signal_weights.score_low),
        9
    ) as feedback_score,
    signal_weights.feedback_type,
    interactions.signal,
    interactions.cleaned_value as raw_value,
    case
        when interactions.is_outlier then 0.0
        when interactions.is_imputed then signal_weights.confidence / 2
        else signal_weights.confidence
    end as confidence,
    interactions.is_imputed,
    interactions.is_outlier,
    interactions.occurred_at as timestamp,
    interactions.batch_sequence
from interactions
inner join signal_weights on interactions.signal = signal_weights.signal
where interactions.user_id is not null and interactions.item_id is not null
