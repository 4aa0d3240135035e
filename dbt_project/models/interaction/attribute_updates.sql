{#-
    What was said of users and items, and what users allow: few of the interactions, kept together
    so that the attributes of one of them are found without reading all interactions.
-#}
{{ config(pre_hook="{{ forget_touched('event_id') }}") }}

-- depends_on: {{ ref('changes') }}

with interactions as (

    select * from {{ ref('interactions') }}
    where event_type in ('user_updated', 'item_updated', 'consent_changed') and {{ is_newly_stored() }}

)

select
    event_id,
    event_type,
    user_id,
    {{ nameless_device('is_identified', 'anonymous_id') }} as nameless_device,
    item_id,
    occurred_at,
    properties
from interactions
