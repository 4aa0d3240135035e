{#-
    What users think of an item, all together: sums over the feedback scores about it. They are
    decimals, so they are exact, and a score can be taken out of a sum again.

    A popular item has scores by the million, too many to add up for every new one. So triggers of
    `feedback_scores` note down, in the transaction that changes a score, what the sums lose and
    gain by it (`pipeline.opinion_changes`), and `item_opinions` adds up the notes and drops them, in
    one transaction, too. Whatever dies in between, nothing is added twice or left out. A test of the
    table compares the sums with the scores.
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

{#- Whether the sums are kept by such notes; an engine that builds tables whole adds the scores up. -#}
{% macro notes_opinions() -%}
    {{ return(var('engine', target.type) == 'duckdb') }}
{%- endmacro %}

{#- As a post-hook of feedback_scores, when it is made: note down what came, and from then on each change. -#}
{% macro note_opinions() -%}
    {% set scores = this.include(database=false) -%}
    {% set rules = ref('score_rules').include(database=false) -%}
    insert into pipeline.opinion_changes
    {{ item_opinions(scores, rules) }};
    {% for event, relation, sign in (('insert', 'new', 1), ('delete', 'old', -1), ('update', 'new', 1), ('update', 'old', -1)) %}
    create or replace trigger opinions_{{ event }}_{{ relation }} after {{ event }} on {{ scores }}
    referencing {{ relation }} table as changed for each statement
    insert into pipeline.opinion_changes
    select item_id, {{ sign }} * users, {{ sign }} * fans, {{ sign }} * score_total, {{ sign }} * confidence_total
    from ({{ item_opinions('changed', rules) }});
    {% endfor %}
{%- endmacro %}
