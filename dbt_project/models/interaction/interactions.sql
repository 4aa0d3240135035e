{{ config(
    pre_hook=["{{ forget_replaced() }}", "{{ forget_withdrawn() }}", "{{ forget_arrived() }}"]
) }}

-- depends_on: {{ ref('changes') }}

with arriving as (

    select * from {{ arrived() }}

)

select
    event_id,
    event_type,
    user_id,
    anonymous_id,
    item_id,
    session_id,
    occurred_at,
    day,
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
    properties,
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
    identified_user_id is not null as is_identified,
    is_session_inferred,
    is_bot,
    bot_rule,
    is_burst,
    burst_rule,
    burst_bound,
    reference_version,
    rules_version,
    raw_object,
    raw_row,
    batch_sequence,
    {{ hash_of('event_id') }} as event_id_hash
from arriving
order by occurred_at
