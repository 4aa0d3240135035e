{#-
    Engagement by day, segment and placement: a pure function of the day's events and of the
    segmentation that was in force. A day is computed anew when its events or its segmentation
    change.

    Length and bounce of a visit are those of the part that lies within the day.
-#}
{{ config(pre_hook="{{ forget_touched('day', touched='select day from ' ~ ref('engagement_days')) }}") }}

with touched as (

    select * from {{ ref('engagement_days') }}

),

interactions as (

    select * from {{ ref('interactions') }}
    where
        user_id is not null
        and {{ is_by_a_person() }}
        and day in (select day from touched)

),

segment_assignments as (

    select * from {{ source('ml', 'segment_assignments') }}

),

visits as (

    select
        day,
        session_id,
        date_diff('millisecond', min(occurred_at), max(occurred_at)) as milliseconds,
        count(*) filter (where {{ is_engagement() }}) = 0
        and count(*) filter (where event_type = 'item_viewed') <= 1 as is_bounce
    from interactions
    where session_id is not null
    group by day, session_id

),

placed as (

    select
        interactions.day,
        touched.segmentation,
        interactions.user_id,
        interactions.session_id,
        interactions.event_type,
        coalesce(cast(segment_assignments.segment_id as varchar), 'unassigned') as segment,
        coalesce(interactions.placement, 'none') as placement
    from interactions
    inner join touched on interactions.day = touched.day
    left join segment_assignments
        on
            touched.segmentation = segment_assignments.model_version
            and interactions.user_id = segment_assignments.user_id

),

counted as (

    select
        day,
        segment,
        placement,
        segmentation,
        count(distinct user_id) as users,
        count(*) filter (where event_type = 'item_impression') as impressions,
        count(*) filter (where event_type = 'item_clicked') as clicks
    from placed
    group by day, segment, placement, segmentation

),

placed_visits as (

    select distinct day, segment, placement, session_id
    from placed
    where session_id is not null

),

visited as (

    select
        placed_visits.day,
        placed_visits.segment,
        placed_visits.placement,
        count(*) as sessions,
        sum(visits.milliseconds) as milliseconds,
        count(*) filter (where visits.is_bounce) as bounces
    from placed_visits
    inner join visits
        on placed_visits.day = visits.day and placed_visits.session_id = visits.session_id
    group by placed_visits.day, placed_visits.segment, placed_visits.placement

)

select
    counted.day,
    counted.segment,
    counted.placement,
    coalesce(visited.sessions, 0) as sessions,
    counted.users,
    counted.impressions,
    counted.clicks,
    {{ share('counted.clicks', 'counted.impressions') }} as ctr,
    {{ share('visited.milliseconds', 'visited.sessions * 1000', 3) }} as session_seconds,
    {{ share('visited.bounces', 'visited.sessions') }} as bounce_rate,
    counted.segmentation
from counted
left join visited
    on
        counted.day = visited.day
        and counted.segment = visited.segment
        and counted.placement = visited.placement
