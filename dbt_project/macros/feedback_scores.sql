{#-
    The one definition of a feedback score, used by the model `feedback_scores` and by the table
    macro `feedback.feedback_scores_as_of(time)`, which training reads.

    For each user and item:
    - Of the ratings only the latest speaks, and of likes and dismissals only the latest: people
      change their minds.
    - Each piece of feedback weighs its confidence, halved for every 30 days that it is older than
      the newest feedback of the pair.
    - explicit_score and implicit_score are weighted means of the scores.
    - Belief in each side is 1 - prod(1 - weight): many weak signs add up, none is counted as proof.
    - They conflict when they are half the scale apart or more. Then what was said wins over what
      was done: the implicit side counts a quarter, and the confidence in the result falls by a
      third. The outcome is recorded in `resolution`.
-#}
{% macro feedback_scores(relation) -%}
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
            (1 - (1 - explicit_belief) * (1 - implicit_belief))
            * case when is_conflicting then 2.0 / 3.0 else 1.0 end,
            9
        ) as confidence,
        explicit_count,
        implicit_count,
        is_conflicting,
        case
            when is_conflicting then 'explicit_over_implicit'
            when superseded > 0 then 'latest_over_earlier'
            else 'none'
        end as resolution,
        last_feedback_at
    from (
        select
            *,
            case when is_conflicting then 0.25 else 1.0 end as implicit_share
        from (
            select
                *,
                coalesce(abs(explicit_score - implicit_score) >= 0.5, false) as is_conflicting
            from (
                select
                    user_id,
                    item_id,
                    round(
                        cast({{ exact_sum("score * weight * is_explicit::int") }} as double)
                        / nullif(
                            cast({{ exact_sum("weight * is_explicit::int") }} as double), 0
                        ),
                        9
                    ) as explicit_score,
                    round(
                        cast({{ exact_sum("score * weight * (not is_explicit)::int") }} as double)
                        / nullif(
                            cast({{ exact_sum("weight * (not is_explicit)::int") }} as double), 0
                        ),
                        9
                    ) as implicit_score,
                    round(
                        1 - exp(cast({{ exact_sum("is_explicit::int * ln(1 - weight)") }} as double)),
                        9
                    ) as explicit_belief,
                    round(
                        1 - exp(
                            cast({{ exact_sum("(not is_explicit)::int * ln(1 - weight)") }} as double)
                        ),
                        9
                    ) as implicit_belief,
                    count(*) filter (where is_explicit) as explicit_count,
                    count(*) filter (where not is_explicit) as implicit_count,
                    max(superseded) as superseded,
                    max(last_feedback_at) as last_feedback_at
                from (
                    select
                        user_id,
                        item_id,
                        feedback_score as score,
                        feedback_type = 'explicit' as is_explicit,
                        last_feedback_at,
                        superseded,
                        round(
                            confidence * power(
                                0.5,
                                date_diff('second', "timestamp", last_feedback_at) / (30 * 86400.0)
                            ),
                            9
                        ) as weight
                    from (
                        select
                            *,
                            max("timestamp") over pair as last_feedback_at,
                            count(*) filter (where opinion is not null and recency > 1)
                                over pair as superseded
                        from (
                            select
                                *,
                                row_number() over (
                                    partition by user_id, item_id, opinion
                                    order by "timestamp" desc, feedback_id desc
                                ) as recency
                            from (
                                select
                                    *,
                                    case
                                        when signal = 'rating' then 'rating'
                                        when feedback_type = 'explicit' then 'opinion'
                                    end as opinion
                                from {{ relation }}
                                where confidence > 0
                            )
                        )
                        window pair as (partition by user_id, item_id)
                    )
                    where opinion is null or recency = 1
                )
                where weight > 0
                group by user_id, item_id
            )
        )
    )
{%- endmacro %}

{#- On run end: give readers the scores as they were known at any time, from feedback before it. -#}
{% macro create_feedback_scores_as_of() -%}
    create or replace macro feedback.feedback_scores_as_of(as_of) as table (
        {{ feedback_scores('(select * from feedback.user_feedback where "timestamp" < as_of)') }}
    )
{%- endmacro %}
