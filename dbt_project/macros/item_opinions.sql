{#-
    What users think of an item, all together: sums over the feedback scores about it. They are
    decimals, so they are exact, and a score can be taken out of a sum again.

    A popular item has scores by the million, too many to add up for every new one. So
    `feedback_scores` notes down, in the transaction that changes a score, what the sums lose and
    gain by it (`pipeline.opinion_changes`), and `item_opinions` adds up the notes and drops them, in
    one transaction, too. Whatever dies in between, nothing is added twice or left out. So scores
    change by the model alone; a test of the table compares the sums with the scores.
-#}
{% macro item_opinions(feedback_scores, score_rules) -%}
    select
        item_id,
        count(*) as users,
        count(*) filter (where feedback_score >= {{ rule('fan_score', score_rules) }}) as fans,
        {{ exact_sum('feedback_score * confidence') }} as score_total,
        {{ exact_sum('confidence') }} as confidence_total
    from {{ feedback_scores }}
    group by item_id
{%- endmacro %}

{#- As a hook of feedback_scores: note down what is about to go (-1), or what came (1). -#}
{% macro note_opinions(sign) -%}
    {% set touched = touched_pairs() -%}
    {% set rules = ref('score_rules') -%}
    {% if is_incremental() or sign == 1 -%}
    insert into pipeline.opinion_changes
    select item_id, {{ sign }} * users, {{ sign }} * fans, {{ sign }} * score_total, {{ sign }} * confidence_total
    from (
        with affected as (
            select * from {{ this }}
            {% if is_incremental() -%}
            where pair_key in ({{ touched }})
            {%- endif %}
        )
        {{ item_opinions('affected', rules) }}
    )
    {%- endif %}
{%- endmacro %}
