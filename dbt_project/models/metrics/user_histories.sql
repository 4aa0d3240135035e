{#-
    What holds of users over all their days: the week in which they came, the weeks in which they
    were there, and into which variant of each experiment they came first, and when.
-#}
{{ config(
    pre_hook="{{ forget_touched_by_hash('user_id', touched='select user_id from ' ~ ref('touched_user_days')) }}"
) }}

{% set users = 'select user_id from ' ~ ref('touched_user_days') %}

with user_days as (

    select user_id, day, exposures
    from {{ ref('user_days') }}
    where {{ is_touched_by_hash(ref('user_days'), 'user_id', touched=users) }}

),

weeks as (

    select
        user_id,
        cast(date_trunc('week', min(day)) as date) as cohort_week,
        list_sort(list_distinct(list(cast(date_trunc('week', day) as date)))) as weeks
    from user_days
    group by user_id

),

first_exposures as (

    select
        user_id,
        exposure.experiment_id as experiment_id,
        arg_min(exposure.variant, day) as variant,
        min(day) as day
    from (select user_id, day, unnest(exposures) as exposure from user_days)
    group by all

),

exposures as (

    select
        user_id,
        list(
            struct_pack(experiment_id := experiment_id, variant := variant, day := day)
            order by experiment_id
        ) as exposures
    from first_exposures
    group by user_id

)

select
    weeks.user_id,
    weeks.cohort_week,
    weeks.weeks,
    coalesce(exposures.exposures, []) as exposures,
    {{ hash_of('weeks.user_id') }} as user_id_hash
from weeks
left join exposures on weeks.user_id = exposures.user_id
