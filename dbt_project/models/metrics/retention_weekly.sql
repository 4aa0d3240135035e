{#-
    Of the users who came in a week, how many were there in each week after it, for a year. A week has
    a row once it is over: before that fewer have returned than will.

    A cohort is computed when it has no rows; the hook drops those that may have changed.
-#}
{{ config(pre_hook="{{ forget_touched_cohorts() }}") }}

-- depends_on: {{ ref('touched_user_days') }}

-- depends_on: {{ ref('user_days') }}

with members as (

    select user_histories.user_id, user_histories.cohort_week, user_histories.weeks
    from {{ ref('user_histories') }} as user_histories
    anti join {{ users_not_measured() }} as not_measured
        on user_histories.user_id = not_measured.user_id
    where
        user_histories.cohort_week < {{ last_finished_week() }}
        {% if is_incremental() -%}
        and user_histories.cohort_week not in (select cohort_week from {{ this }})
        {%- endif %}

),

cohorts as (

    select cohort_week, count(*) as users
    from members
    group by cohort_week

),

cohort_weeks as (

    select
        cohort_week,
        users,
        unnest(range(1, least(
            {{ weeks_between('cohort_week', last_finished_week()) }}, {{ weeks_followed() }}
        ) + 1)) as week
    from cohorts

),

returns as (

    select
        cohort_week,
        {{ weeks_between('cohort_week', 'active_week') }} as week,
        count(*) as returned
    from (select cohort_week, unnest(weeks) as active_week from members)
    group by all

),

counted as (

    select
        cohort_weeks.cohort_week,
        cast(cohort_weeks.week as integer) as week,
        cohort_weeks.users,
        coalesce(returns.returned, 0) as returned
    from cohort_weeks
    left join returns
        on cohort_weeks.cohort_week = returns.cohort_week and cohort_weeks.week = returns.week

)

select
    cohort_week,
    week,
    users,
    returned,
    {{ share('returned', 'users') }} as retention,
    {{ wilson('returned', 'users', '-') }} as low,
    {{ wilson('returned', 'users', '+') }} as high
from counted
