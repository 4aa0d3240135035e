{#-
    The one definition of a feedback score, used by the model `feedback_scores` and by the table
    function `feedback.feedback_scores_as_of(time)`, which training reads. docs/layers.md has the
    formula in mathematics, and an example with its figures.

    For each user and item:
    - Of the ratings only the latest speaks, and of likes and dismissals only the latest: people
      change their minds. Of a rating and an opinion that contradict each other, the later speaks.
    - Each piece of feedback weighs its confidence, halved for every half-life that it is older
      than the newest feedback of the pair, `last_feedback_at`: the time as of which a row is.
    - explicit_score and implicit_score are weighted means of the scores.
    - Belief in each side is 1 - prod(1 - weight): many weak signs add up, none is counted as proof.
    - Where the two sides contradict each other, what was said wins over what was done: the
      implicit side keeps a share of its weight, the result a share of its confidence.

    `resolution` names the rule that decided, the first that applies:
    - explicit_over_bounce: the item was praised, and every visit to it was a bounce: one brief
      look and nothing after it. Who praises what they hardly saw is believed less.
    - explicit_over_implicit: what was said and what was done are far apart.
    - latest_statement: a rating and an opinion are far apart.
    - latest_opinion: a like was followed by a dismissal, or the other way round.
    - latest_rating: a rating was changed.
    - none: nothing contradicts anything, and `is_conflicting` is false.
-#}
{% macro feedback_scores(user_feedback, score_rules) -%}
    with statements as (
        select
            user_id,
            item_id,
            feedback_id,
            session_id,
            feedback_score as score,
            confidence,
            round(confidence, 9) > 0 as is_believed,
            "timestamp",
            feedback_type = 'explicit' as is_explicit,
            case when feedback_type = 'explicit' then signal = 'rating' end as is_rating,
            -- A click leads to a look; it is none.
            feedback_type = 'implicit' and signal <> 'click' as is_look,
            coalesce(is_brief, false) as is_brief
        from {{ user_feedback }}
    ),

    ordered as (
        select
            *,
            max("timestamp") filter (where is_believed) over (partition by user_id, item_id)
                as last_feedback_at,
            row_number() over same_kind as recency,
            first_value(score) over same_kind as latest_of_kind,
            first_value(score) over (
                partition by user_id, item_id, is_believed, is_explicit
                order by "timestamp" desc, feedback_id desc
            ) as latest_of_side
        from statements
        window same_kind as (
            partition by user_id, item_id, is_believed, is_rating order by "timestamp" desc, feedback_id desc
        )
    ),

    weighed as (
        select
            *,
            is_believed and is_explicit and recency > 1 as is_superseded,
            is_believed
            and is_explicit
            and recency = 1
            and abs(score - latest_of_side) >= {{ rule('conflict_distance', score_rules) }}
                as is_overruled,
            case
                when is_believed
                    then round(
                        confidence * power(
                            0.5,
                            date_diff('second', "timestamp", last_feedback_at)
                            / ({{ rule('half_life_days', score_rules) }} * 86400.0)
                        ),
                        9
                    )
                else 0.0
            end as weight
        from ordered
    ),

    sides as (
        select
            user_id,
            item_id,
            {{ weighted_mean('score', 'is_explicit and speaks') }} as explicit_score,
            {{ weighted_mean('score', 'not is_explicit and speaks') }} as implicit_score,
            {{ belief('is_explicit and speaks') }} as explicit_belief,
            {{ belief('not is_explicit and speaks') }} as implicit_belief,
            count(*) filter (where is_explicit and speaks) as explicit_count,
            count(*) filter (where not is_explicit and speaks) as implicit_count,
            -- Every look a brief one, and the only one of its visit. What has decayed is no longer a
            -- look; one whose length nobody believes is, and not a brief one.
            count(*) filter (where is_look and (weight > 0 or not is_believed))
            = count(distinct case when is_look and is_brief and weight > 0 then session_id end)
                as are_looks_bounces,
            max(score) filter (where is_look and weight > 0) as look_score,
            bool_or(is_overruled) as is_statement_overruled,
            bool_or(is_superseded and not is_rating and score <> latest_of_kind)
                as is_opinion_changed,
            bool_or(is_superseded and is_rating and score <> latest_of_kind) as is_rating_changed,
            max(last_feedback_at) as last_feedback_at
        from (
            select *, weight > 0 and not is_superseded and not is_overruled as speaks
            from weighed
        )
        where last_feedback_at is not null
        group by user_id, item_id
    ),

    judged as (
        select
            *,
            case
                when
                    are_looks_bounces
                    and explicit_score - look_score >= {{ rule('conflict_distance', score_rules) }}
                    then 'explicit_over_bounce'
                when
                    abs(explicit_score - implicit_score)
                    >= {{ rule('conflict_distance', score_rules) }}
                    then 'explicit_over_implicit'
                when is_statement_overruled then 'latest_statement'
                when is_opinion_changed then 'latest_opinion'
                when is_rating_changed then 'latest_rating'
                else 'none'
            end as resolution
        from sides
    ),

    resolved as (
        select
            *,
            case
                when resolution in ('explicit_over_bounce', 'explicit_over_implicit')
                    then {{ rule('conflict_implicit_share', score_rules) }}
                else 1.0
            end as implicit_share,
            case resolution
                when 'explicit_over_bounce' then {{ rule('bounce_confidence', score_rules) }}
                when 'explicit_over_implicit' then {{ rule('conflict_confidence', score_rules) }}
                else 1.0
            end as remaining_confidence
        from judged
    )

    select
        user_id,
        item_id,
        explicit_score,
        implicit_score,
        round(
            (
                coalesce(explicit_score * explicit_belief, 0)
                + coalesce(implicit_score * implicit_belief * implicit_share, 0)
            ) / (explicit_belief + implicit_belief * implicit_share),
            9
        ) as feedback_score,
        round(
            (1 - (1 - explicit_belief) * (1 - implicit_belief)) * remaining_confidence, 9
        ) as confidence,
        explicit_count,
        implicit_count,
        resolution <> 'none' as is_conflicting,
        resolution,
        last_feedback_at
    from resolved
{%- endmacro %}

{#- Mean of an expression over the feedback for which a condition holds, by weight. -#}
{% macro weighted_mean(expression, condition) -%}
    round(
        cast({{ exact_sum(expression ~ ' * weight * (' ~ condition ~ ')::int') }} as double)
        / nullif(cast({{ exact_sum('weight * (' ~ condition ~ ')::int') }} as double), 0),
        9
    )
{%- endmacro %}

{#- What all feedback for which a condition holds is worth together; 0 without any. -#}
{% macro belief(condition) -%}
    round(
        1 - exp(cast({{ exact_sum('(' ~ condition ~ ')::int * ln(1 - weight)') }} as double)), 9
    )
{%- endmacro %}
