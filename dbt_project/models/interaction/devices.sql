{#-
    Whose each device (or browser) is: the first known user who was seen with it, or to whom an
    alias gave what was done on it before. So what somebody did before they logged in is theirs
    afterwards, and a second user of the same device takes nothing from the first. Known users are
    never merged: a page's write key is public, and one user's feedback must not become another's
    because somebody said so.

    A device stays when its link is gone; user_id is null then. `batch_sequence` says when the owner
    changed last: the interactions of the device have to follow. It is 0 until the owner is another than
    when the device was seen first: nothing was stored then that would have to follow.
-#}
{{ config(unique_key='anonymous_id') }}

{% set stored = stored_relation('interaction', 'interactions') %}

with incoming as (

    select * from {{ ref('incoming') }}

),

kept as (

    {% if is_incremental() -%}
    select * from {{ this }}
    {%- else -%}
    select
        cast(null as varchar) as anonymous_id,
        cast(null as varchar) as user_id,
        cast(null as timestamp) as linked_at,
        cast(null as varchar) as event_id,
        cast(null as timestamp) as first_seen_at,
        cast(null as bigint) as batch_sequence
    where false
    {%- endif %}

),

seen as (

    select anonymous_id, min(occurred_at) as first_seen_at
    from incoming
    where anonymous_id is not null
    group by anonymous_id

),

arriving_links as (

    {{ device_links('incoming') }}

),

-- Their link came with a delivery that another one replaces now, or that is withdrawn. A run that
-- died may have left a link of an event that never became an interaction: it is incoming still.
unlinked as (

    select anonymous_id
    from kept
    where
        event_id in (select event_id from incoming)
        or event_id in {{ withdrawn_events() }}

),

remaining as (

    {% if stored -%}
    select
        event_type,
        anonymous_id,
        case when is_identified then user_id end as identified_user_id,
        occurred_at,
        event_id,
        properties
    from (
        -- Two reads that cost nothing where no device is unlinked; a single one with `or` would.
        select * from {{ stored }} where anonymous_id in (select anonymous_id from unlinked)
        union all
        select * from {{ stored }}
        where
            event_type = 'user_aliased'
            and {{ aliased_device() }} in (select anonymous_id from unlinked)
    )
    where
        event_id not in (select event_id from incoming)
        and event_id not in {{ withdrawn_events() }}
    {%- else -%}
    select * from incoming where false
    {%- endif %}

),

touched as (

    select anonymous_id from seen
    union
    select anonymous_id from arriving_links
    union
    select anonymous_id from unlinked

),

links as (

    select * from arriving_links
    union all
    {{ device_links('remaining') }}
    union all
    select anonymous_id, user_id, linked_at, event_id
    from kept
    where
        user_id is not null
        and anonymous_id in (select anonymous_id from touched)
        and anonymous_id not in (select anonymous_id from unlinked)

),

owners as (

    select
        anonymous_id,
        arg_min(user_id, row(linked_at, event_id)) as user_id,
        min(linked_at) as linked_at,
        arg_min(event_id, row(linked_at, event_id)) as event_id
    from links
    group by anonymous_id

),

newest as (

    select {{ staged_through() }} as batch_sequence

)

select
    touched.anonymous_id,
    owners.user_id,
    owners.linked_at,
    owners.event_id,
    least(seen.first_seen_at, kept.first_seen_at) as first_seen_at,
    case
        when kept.anonymous_id is null then 0
        when owners.user_id is not distinct from kept.user_id then kept.batch_sequence
        else newest.batch_sequence
    end as batch_sequence
from touched
cross join newest
left join owners on touched.anonymous_id = owners.anonymous_id
left join seen on touched.anonymous_id = seen.anonymous_id
left join kept on touched.anonymous_id = kept.anonymous_id
