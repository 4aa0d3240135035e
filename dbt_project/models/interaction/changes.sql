{#-
    The keys of every event that is new, replaced or withdrawn since the last published run: of the
    row that comes, and of the row that goes. It is written before the interactions are, so that a
    run that dies in between leaves behind which keys have to be computed anew.

    Whoever changes what they allow changes what counts of all the feedback they ever gave. So their
    items are here too, without an event and a day: none of their events changed.
-#}
{{ config(pre_hook="{{ forget_published() }}") }}

{% set stored = stored_relation('interaction', 'interactions') %}
{% set stored_feedback = stored_relation('feedback', 'user_feedback') %}

with arriving as (

    select * from {{ ref('arriving') }}

),

moved as (

    select
        event_id,
        event_type,
        user_id,
        {{ nameless_device('identified_user_id is not null', 'anonymous_id') }} as nameless_device,
        item_id,
        session_id,
        day,
        occurred_at,
        false as is_leaving,
        batch_sequence
    from arriving
    union all
    select
        event_id,
        former_event_type as event_type,
        former_user_id as user_id,
        former_nameless_device as nameless_device,
        former_item_id as item_id,
        former_session_id as session_id,
        former_day as day,
        cast(null as timestamp) as occurred_at,
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
        {{ nameless_device('is_identified', 'anonymous_id') }} as nameless_device,
        item_id,
        session_id,
        day,
        cast(null as timestamp) as occurred_at,
        true as is_leaving,
        {{ staged_through() }} as batch_sequence
    from {{ stored }}
    where event_id in {{ withdrawn_events() }}
    {%- endif %}

),

changed_minds as (

    select distinct unnest([user_id, nameless_device]) as user_id
    from moved
    where event_type = 'consent_changed' and user_id is not null

),

affected as (

    select user_id, cast(null as varchar) as item_id from changed_minds where user_id is not null
    {% if stored_feedback -%}
    union
    select user_id, item_id
    from {{ stored_feedback }}
    where
        {{ has_hash(stored_feedback, 'user_id', 'select user_id from changed_minds') }}
        and user_id in (select user_id from changed_minds)
    {%- endif %}

)

select * exclude (nameless_device) from moved
union all
select
    cast(null as varchar) as event_id,
    'consent_changed' as event_type,
    user_id,
    item_id,
    cast(null as varchar) as session_id,
    cast(null as date) as day,
    cast(null as timestamp) as occurred_at,
    true as is_leaving,
    {{ staged_through() }} as batch_sequence
from affected
