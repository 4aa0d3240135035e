{#-
    The keys of every event that is new, replaced or withdrawn since the last published run: of the
    row that comes, and of the row that goes. It is written before the interactions are, so that a
    run that dies in between leaves behind which keys have to be computed anew.
-#}
{{ config(pre_hook="{{ forget_published() }}") }}

{% set stored = adapter.get_relation(
    database=this.database, schema='interaction', identifier='interactions'
) %}

with arriving as (

    select * from {{ ref('arriving') }}

)

select
    event_id,
    event_type,
    user_id,
    item_id,
    session_id,
    day,
    false as is_leaving,
    batch_sequence
from arriving
union all
select
    event_id,
    former_event_type as event_type,
    former_user_id as user_id,
    former_item_id as item_id,
    former_session_id as session_id,
    former_day as day,
    true as is_leaving,
    batch_sequence
from arriving
where is_replacement
{% if stored -%}
union all
select
    event_id,
    event_type,
    user_id,
    item_id,
    session_id,
    day,
    true as is_leaving,
    {{ staged_through() }} as batch_sequence
from {{ stored }}
where event_id in {{ withdrawn_events() }}
{%- endif %}
