{#-
    The deliveries that count among the new rows. An event may be delivered often; the one received
    first counts, whenever it is loaded. So a delivery that turns out to be earlier than the stored
    one replaces it, and the outcome does not depend on the order of loading. What was stored from
    a raw object that was cleaned again is replaced in any case.

    The stored interactions are looked up by name, not by ref: they are built from this model.
-#}
{{ config(materialized='table', contract={'enforced': false}) }}

{% set stored = stored_relation('interaction', 'interactions') %}

with clean_events as (

    select * from {{ source('lake', 'clean_events') }}

),

first_deliveries as (

    select *
    from clean_events
    qualify row_number() over (
        partition by event_id order by received_at, raw_object, raw_row
    ) = 1

),

{% if stored -%}
known as (

    select
        event_id,
        event_type,
        user_id,
        {{ nameless_device('is_identified', 'anonymous_id') }} as nameless_device,
        item_id,
        session_id,
        day,
        received_at,
        raw_object,
        raw_row
    from {{ stored }}
    where {{ has_hash(stored, 'event_id', 'select event_id from first_deliveries') }}

),
{%- endif %}

compared as (

    select
        first_deliveries.*,
        {% if stored -%}
        stored.event_id is not null as is_replacement,
        stored.event_type as former_event_type,
        stored.user_id as former_user_id,
        stored.nameless_device as former_nameless_device,
        stored.item_id as former_item_id,
        stored.session_id as former_session_id,
        stored.day as former_day,
        stored.event_id is null
        or (first_deliveries.received_at, first_deliveries.raw_object, first_deliveries.raw_row)
        < (stored.received_at, stored.raw_object, stored.raw_row)
        or stored.raw_object in {{ replaced_objects() }} as is_first
        {%- else -%}
        false as is_replacement,
        cast(null as varchar) as former_event_type,
        cast(null as varchar) as former_user_id,
        cast(null as varchar) as former_nameless_device,
        cast(null as varchar) as former_item_id,
        cast(null as varchar) as former_session_id,
        cast(null as date) as former_day,
        true as is_first
        {%- endif %}
    from first_deliveries
    {% if stored -%}
    left join known as stored on first_deliveries.event_id = stored.event_id
    {%- endif %}

)

select
    event_id,
    event_type,
    user_id as identified_user_id,
    anonymous_id,
    item_id,
    session_id as sent_session_id,
    occurred_at,
    cast(occurred_at as date) as day,
    received_at,
    value,
    recommendation_id,
    position,
    propensity,
    placement,
    experiment_id,
    variant,
    device_type,
    device_category,
    platform,
    platform_category,
    country,
    app_version,
    cast(properties as json) as properties,
    signal,
    cleaned_value,
    normalised_value,
    is_imputed,
    imputation_rule,
    is_outlier,
    outlier_rule,
    outlier_bound,
    outlier_treatment,
    normalisation_rule,
    clock_offset_seconds,
    is_bot,
    bot_rule,
    reference_version,
    rules_version,
    raw_object,
    raw_row,
    batch_sequence,
    is_replacement,
    former_event_type,
    former_user_id,
    former_nameless_device,
    former_item_id,
    former_session_id,
    former_day
from compared
where is_first
