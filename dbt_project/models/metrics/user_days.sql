{#-
    What each user did on each day, as figures. See macros/user_days.sql.

    Money, stars and times are summed up as decimals and whole numbers: the same in whatever order
    events came. Length and bounce of a visit are those of the part that lies within the day.
-#}
{{ config(pre_hook="{{ forget_recounted_user_days() }}") }}

with interactions as (

    select
        event_id,
        event_type,
        user_id,
        day,
        session_id,
        item_id,
        recommendation_id,
        placement,
        experiment_id,
        variant,
        occurred_at,
        received_at,
        value,
        case when event_type = 'item_impression' then properties ->> '/model_version' end
            as model_version,
        cast(case when event_type = 'item_rated' then value end as decimal(18, 6)) as stars,
        -- A sender may claim any revenue; what no currency knows counts as a conversion without one.
        case when event_type = 'item_converted' then try_cast(value as decimal(24, 6)) end as revenue,
        case when event_type = 'survey_answered' then properties ->> 'survey' end as survey
    from {{ ref('interactions') }}
    where
        user_id is not null
        and {{ is_by_a_person() }}
        and {{ is_visited() }}
        and {{ is_recounted() }}

),

clicks_after_midnight as (

    select user_id, day - 1 as day, recommendation_id, item_id, occurred_at
    from {{ ref('interactions') }}
    where
        event_type = 'item_clicked'
        and recommendation_id is not null
        and user_id is not null
        and {{ is_by_a_person() }}
        and {{ is_after_midnight('occurred_at') }}
        and {{ is_recounted(days_later=1) }}

),

clicks as (

    select user_id, day, recommendation_id, item_id, occurred_at
    from interactions
    where event_type = 'item_clicked' and recommendation_id is not null
    union all
    select user_id, day, recommendation_id, item_id, occurred_at
    from clicks_after_midnight

),

first_clicks as (

    select user_id, day, recommendation_id, item_id, min(occurred_at) as clicked_at
    from clicks
    group by user_id, day, recommendation_id, item_id

),

recommended as (

    select
        interactions.user_id,
        interactions.day,
        coalesce(interactions.model_version, 'none') as model_version,
        coalesce(interactions.placement, 'none') as placement,
        count(*) as impressions,
        count(*) filter (
            where {{ is_click_of('first_clicks.clicked_at', 'interactions.occurred_at') }}
        ) as clicks
    from interactions
    left join first_clicks
        on
            interactions.user_id = first_clicks.user_id
            and interactions.day = first_clicks.day
            and interactions.recommendation_id = first_clicks.recommendation_id
            and interactions.item_id = first_clicks.item_id
    where
        interactions.event_type = 'item_impression'
        and interactions.recommendation_id is not null
    group by all

),

recommended_by_day as (

    select
        user_id,
        day,
        cast(sum(impressions) as bigint) as recommended_impressions,
        cast(sum(clicks) as bigint) as recommended_clicks,
        list(
            struct_pack(
                model_version := model_version,
                placement := placement,
                impressions := impressions,
                clicks := clicks
            )
            order by model_version, placement
        ) as recommended
    from recommended
    group by user_id, day

),

exposures as (

    select
        user_id,
        day,
        experiment_id,
        arg_min(variant, row(occurred_at, event_id)) as variant,
        min(occurred_at) as exposed_at
    from interactions
    where
        event_type = 'experiment_exposed'
        and experiment_id is not null
        and variant is not null
    group by user_id, day, experiment_id

),

exposed_visits as (

    select
        exposures.user_id,
        exposures.day,
        exposures.experiment_id,
        exposures.variant,
        interactions.session_id,
        {{ visit_figures('interactions.') }},
        {{ deed_figures() }}
    from exposures
    inner join interactions
        on
            exposures.user_id = interactions.user_id
            and exposures.day = interactions.day
            and exposures.exposed_at <= interactions.occurred_at
    group by all

),

exposed_by_experiment as (

    select
        user_id,
        day,
        experiment_id,
        variant,
        {{ day_figures() }}
    from exposed_visits
    group by user_id, day, experiment_id, variant

),

exposed_by_day as (

    select
        user_id,
        day,
        list(
            struct_pack(
                experiment_id := experiment_id,
                variant := variant,
                visits := visits,
                visit_milliseconds := visit_milliseconds,
                bounces := bounces,
                impressions := impressions,
                clicks := clicks,
                conversions := conversions
            )
            order by experiment_id
        ) as exposures
    from exposed_by_experiment
    group by user_id, day

),

visits as (

    select
        user_id,
        day,
        session_id,
        max(occurred_at) as last_at,
        max(received_at) as last_received_at,
        {{ visit_figures() }},
        {{ deed_figures() }},
        sum(revenue) as revenue,
        count(stars) as ratings,
        sum(stars) as rating_total,
        {{ survey_figures() }}
    from interactions
    group by user_id, day, session_id

),

counted as (

    select
        user_id,
        day,
        max(last_at) as last_at,
        max(last_received_at) as last_received_at,
        {{ day_figures() }},
        count(*) filter (where session_id is not null and conversions > 0) as converted_visits,
        cast(coalesce(sum(revenue), 0) as decimal(38, 6)) as revenue,
        cast(sum(ratings) as bigint) as ratings,
        cast(coalesce(sum(rating_total), 0) as decimal(18, 6)) as rating_total,
        cast(sum(nps_answers) as bigint) as nps_answers,
        cast(sum(nps_balance) as bigint) as nps_balance,
        cast(sum(csat_answers) as bigint) as csat_answers,
        cast(sum(csat_satisfied) as bigint) as csat_satisfied
    from visits
    group by user_id, day

)

select
    counted.*,
    coalesce(recommended_by_day.recommended_impressions, 0) as recommended_impressions,
    coalesce(recommended_by_day.recommended_clicks, 0) as recommended_clicks,
    coalesce(recommended_by_day.recommended, []) as recommended,
    coalesce(exposed_by_day.exposures, []) as exposures,
    {{ hash_of('counted.user_id') }} as user_id_hash
from counted
left join recommended_by_day
    on counted.user_id = recommended_by_day.user_id and counted.day = recommended_by_day.day
left join exposed_by_day
    on counted.user_id = exposed_by_day.user_id and counted.day = exposed_by_day.day
