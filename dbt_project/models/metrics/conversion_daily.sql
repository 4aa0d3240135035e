{#-
    Conversion by day and segment, of the users who were there. A user counts once a day, and is the
    unit of the interval. The segment is that by which engagement_daily sees the day.
-#}
{{ config(pre_hook="{{ forget_touched('day', touched=days_to_convert()) }}") }}

-- depends_on: {{ ref('touched_user_days') }}

-- depends_on: {{ ref('engagement_days') }}

with user_days as (

    select * from {{ ref('user_days') }}
    {% if is_incremental() -%}
    where day in ({{ days_to_convert() }})
    {%- endif %}

),

segmentations as (

    select day, any_value(segmentation) as segmentation
    from {{ ref('engagement_daily') }}
    group by day

),

segment_assignments as (

    select * from {{ source('ml', 'segment_assignments') }}

),

placed as (

    select
        user_days.day,
        coalesce(cast(segment_assignments.segment_id as varchar), 'unassigned') as segment,
        user_days.conversions,
        user_days.revenue
    from user_days
    anti join {{ users_not_measured() }} as not_measured on user_days.user_id = not_measured.user_id
    left join segmentations on user_days.day = segmentations.day
    left join segment_assignments
        on
            segmentations.segmentation = segment_assignments.model_version
            and user_days.user_id = segment_assignments.user_id

),

counted as (

    select
        day,
        segment,
        count(*) as users,
        count(*) filter (where conversions > 0) as converted_users,
        cast(sum(conversions) as bigint) as conversions,
        sum(revenue) as revenue
    from placed
    group by day, segment

)

select
    day,
    segment,
    users,
    converted_users,
    {{ share('converted_users', 'users') }} as conversion_rate,
    {{ wilson('converted_users', 'users', '-') }} as low,
    {{ wilson('converted_users', 'users', '+') }} as high,
    conversions,
    round(cast(revenue as double), 6) as revenue
from counted
