{#- Rejected events by the day they were received. Few enough to count anew each time. -#}
{{ config(materialized='table') }}

with quarantined_events as (

    select * from {{ source('lake', 'quarantined_events') }}

)

select
    cast(received_at as date) as day,
    reason,
    count(*) as events
from quarantined_events
group by day, reason
