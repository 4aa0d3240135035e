{#-
    The keys of every event that is new, replaced or withdrawn since the last published run: of the
    row that comes, and of the row that goes. It is written before the interactions are, so that a run that
    dies in between leaves behind which keys have to be computed anew.
-#}
{{ config(
    pre_hook="{% if is_incremental() %}delete from {{ this }} where batch_sequence <= {{ published_through() }}{% endif %}"
) }}

{% set stored = adapter.get_relation(
    database=this.database, schema='interaction', identifier='interactions'
) %}

with arriving as (

    select * from {{ ref('arriving') }}

),

coming as (

    select event_id, event_type, user_id, item_id, session_id, occurred_at, batch_sequence
    from arriving

),

leaving as (

    {% if stored -%}
    select
        stored.event_id,
        stored.event_type,
        stored.user_id,
        stored.item_id,
        stored.session_id,
        stored.occurred_at,
        arriving.batch_sequence
    from arriving
    inner join {{ stored }} as stored on arriving.event_id = stored.event_id
    where arriving.is_replacement
    union all
    select
        event_id,
        event_type,
        user_id,
        item_id,
        session_id,
        occurred_at,
        {{ staged_through() }} as batch_sequence
    from {{ stored }}
    where event_id in {{ withdrawn_events() }}
    {%- else -%}
    select * from coming where false
    {%- endif %}

)

select
    event_id,
    event_type,
    user_id,
    item_id,
    session_id,
    cast(occurred_at as date) as day,
    batch_sequence
from (
    select * from coming
    union all
    select * from leaving
)
