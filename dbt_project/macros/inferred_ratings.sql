{#-
    What a user would rate an item that they have not rated, inferred from similar users. It fills
    gaps in features and is marked as imputed; nobody said it, so nothing is trained on it.

    Neighbours by Pearson's correlation over the items that both rated, shrunk where these are few,
    and the mean of their deviations from their own means (Herlocker, Konstan, Borchers and Riedl
    1999, "An algorithmic framework for performing collaborative filtering"):

        similarity = correlation * min(n, full) / full      for n >= minimum items rated by both
        rating     = mean(user) + sum(similarity * (rating(v) - mean(v))) / sum(similarity)

    over the most similar neighbours v that rated the item. The confidence is the belief of many
    weak signs, 1 - prod(1 - similarity), of which an imputed value keeps its share.

    The cost is bounded: of each user and of each item only the newest ratings are looked at, and of
    each user only the nearest neighbours.
-#}
{% macro inferred_ratings(feedback_scores, score_rules) -%}
    with said as (
        select user_id, item_id, explicit_score as rating, last_feedback_at
        from {{ feedback_scores }}
        where explicit_score is not null
    ),

    recent as (
        select user_id, item_id, rating
        from said
        qualify
            row_number() over (partition by user_id order by last_feedback_at desc, item_id)
            <= {{ rule('inferred_ratings_read', score_rules) }}
            and row_number() over (partition by item_id order by last_feedback_at desc, user_id)
            <= {{ rule('inferred_ratings_read', score_rules) }}
    ),

    means as (
        select user_id, round(cast({{ exact_sum('rating') }} as double) / count(*), 9) as mean
        from recent
        group by user_id
        having count(*) >= {{ rule('inferred_minimum_overlap', score_rules) }}
    ),

    deviations as (
        select recent.user_id, recent.item_id, recent.rating - means.mean as deviation
        from recent
        inner join means on recent.user_id = means.user_id
    ),

    comparisons as (
        select
            own.user_id,
            other.user_id as neighbour_id,
            count(*) as items,
            cast({{ exact_sum('own.deviation * other.deviation') }} as double) as covariation,
            cast({{ exact_sum('own.deviation * own.deviation') }} as double)
            * cast({{ exact_sum('other.deviation * other.deviation') }} as double) as variation
        from deviations as own
        inner join deviations as other
            on own.item_id = other.item_id and own.user_id <> other.user_id
        group by own.user_id, other.user_id
        having count(*) >= {{ rule('inferred_minimum_overlap', score_rules) }}
    ),

    similarities as (
        select
            user_id,
            neighbour_id,
            round(
                least(covariation / sqrt(variation), 1)
                * least(items / {{ rule('inferred_full_overlap', score_rules) }}, 1),
                9
            ) as similarity
        from comparisons
        where covariation > 0
    ),

    neighbours as (
        select user_id, neighbour_id, similarity
        from similarities
        where similarity > 0
        qualify
            row_number() over (partition by user_id order by similarity desc, neighbour_id)
            <= {{ rule('inferred_neighbours', score_rules) }}
    ),

    inferred as (
        select
            neighbours.user_id,
            deviations.item_id,
            count(*) as neighbours,
            cast({{ exact_sum('neighbours.similarity * deviations.deviation') }} as double)
            / cast({{ exact_sum('neighbours.similarity') }} as double) as deviation,
            1 - exp(
                cast({{ exact_sum('ln(greatest(1 - neighbours.similarity, 1e-9))') }} as double)
            ) as belief
        from neighbours
        inner join deviations on neighbours.neighbour_id = deviations.user_id
        group by neighbours.user_id, deviations.item_id
        having count(*) >= {{ rule('inferred_minimum_neighbours', score_rules) }}
    )

    select
        inferred.user_id,
        inferred.item_id,
        round(least(greatest(means.mean + inferred.deviation, 0), 1), 9) as rating,
        round(inferred.belief * {{ rule('imputed_confidence', score_rules) }}, 9) as confidence,
        inferred.neighbours,
        true as is_imputed
    from inferred
    inner join means on inferred.user_id = means.user_id
    where (inferred.user_id, inferred.item_id) not in (select (user_id, item_id) from said)
{%- endmacro %}
