{#-
    The days whose engagement has to be computed, and the segmentation in force on each: the newest
    that took effect before the day began; days before the first are seen through the first.

    The stored metrics are looked up by name, not by ref: they are built from this model.
-#}
{{ config(materialized='table') }}

{% set stored = stored_relation('metrics', 'engagement_daily') %}

-- depends_on: {{ ref('changes') }}

-- depends_on: {{ ref('interactions') }}

with changed as (

    {% if stored -%}
    select distinct day from {{ new_changes() }} where day is not null
    {%- else -%}
    select distinct day from {{ ref('interactions') }}
    {%- endif %}

),

stored_days as (

    {% if stored -%}
    select day, any_value(segmentation) as segmentation
    from {{ stored }}
    group by day
    {%- else -%}
    select cast(null as date) as day, cast(null as varchar) as segmentation where false
    {%- endif %}

),

segmentations as (

    select distinct model_version, effective_from
    from {{ source('ml', 'segment_assignments') }}

),

days as (

    select day from changed
    union
    select day from stored_days

),

in_force as (

    select
        days.day,
        coalesce(
            arg_max(segmentations.model_version, segmentations.effective_from)
                filter (where segmentations.effective_from < days.day),
            arg_min(segmentations.model_version, segmentations.effective_from),
            'none'
        ) as segmentation
    from days
    left join segmentations on true
    group by days.day

)

select
    in_force.day,
    in_force.segmentation
from in_force
left join changed on in_force.day = changed.day
left join stored_days on in_force.day = stored_days.day
where
    changed.day is not null
    or stored_days.segmentation is distinct from in_force.segmentation
