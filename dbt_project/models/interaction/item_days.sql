{#- What happened to one item on one day, counted. Items and their features are sums of it. -#}
{{ config(pre_hook="{{ forget_touched_days('item_id') }}") }}

-- depends_on: {{ ref('changes') }}

with interactions as (

    select * from {{ ref('interactions') }}
    where item_id is not null and {{ is_touched_day('item_id') }}

)

{{ item_days('interactions') }}
