{#-
    What each user allows, by what they said last; the definition is in macros/preferences.sql. Said on
    a device, it holds for the device, and for its user as soon as it is known whose that is.
-#}
{{ config(
    pre_hook="{% if is_incremental() %}delete from {{ this }} where {{ has_key(this, 'user_id', users_with_changed_preferences()) }}{% endif %}",
) }}

{% set changed = users_with_changed_preferences() -%}

with signal_weights as (

    select * from {{ ref('signal_weights') }}

),

statements as (

    select * from {{ ref('attribute_updates') }}
    where
        event_type = 'consent_changed'
        and user_id is not null
        {% if is_incremental() -%}
        and user_id in ({{ changed }})
        {%- endif %}

)

select
    *,
    {{ hash_of('user_id') }} as user_id_hash,
    {{ staged_through() }} as batch_sequence
from (
    {{ user_preferences('statements', 'signal_weights') }}
)
