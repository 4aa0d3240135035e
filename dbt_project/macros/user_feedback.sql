{#-
    The one definition of a piece of feedback: what an event says about an item, from 0 to 1, and
    how much it is believed. An imputed value is believed less, an outlier not at all, unless the
    rules capped it. Bots and bursts give no feedback.
    Expects the interactions, the weights of the signals and the rules.
-#}
{% macro user_feedback(interactions, signal_weights, score_rules) -%}
    select
        interactions.event_id as feedback_id,
        interactions.user_id,
        interactions.item_id,
        round(
            signal_weights.score_low
            + coalesce(interactions.normalised_value, {{ rule('neutral_value', score_rules) }})
            * (signal_weights.score_high - signal_weights.score_low),
            9
        ) as feedback_score,
        signal_weights.feedback_type,
        interactions.signal,
        interactions.cleaned_value as raw_value,
        case
            when interactions.is_outlier and interactions.outlier_treatment is distinct from 'cap'
                then 0.0
            when interactions.is_imputed
                then signal_weights.confidence * {{ rule('imputed_confidence', score_rules) }}
            else signal_weights.confidence
        end as confidence,
        interactions.is_imputed,
        interactions.is_outlier,
        coalesce(
            interactions.signal = 'view'
            and not interactions.is_imputed
            and interactions.normalised_value <= {{ rule('brief_view', score_rules) }},
            false
        ) as is_brief,
        interactions.session_id,
        interactions.occurred_at as timestamp,
        interactions.batch_sequence
    from {{ interactions }} as interactions
    inner join {{ signal_weights }} as signal_weights on interactions.signal = signal_weights.signal
    where
        interactions.user_id is not null
        and interactions.item_id is not null
        and {{ is_by_a_person() }}
{%- endmacro %}
