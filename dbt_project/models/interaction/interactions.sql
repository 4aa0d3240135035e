{{ config(
    pre_hook="{% if is_incremental() %}delete from {{ this }} where event_id in (select event_id from {{ ref('incoming') }} where is_replacement){% endif %}"
) }}

-- depends_on: {{ ref('changes') }}

with incoming as (

    select * from {{ ref('incoming') }}

)

select * exclude (is_replacement)
from incoming
order by occurred_at
