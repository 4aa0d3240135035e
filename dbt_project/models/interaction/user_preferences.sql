{#-
    What each user allows, by what they said last; the definition is in macros/preferences.sql. Said on
    a device, it holds for the device, and as soon as it is known whose that is for its user as well.
-#}
{{ config(
    pre_hook="{% if is_incremental() %}delete from {{ this }} where {{ has_key(this, 'user_id', users_with_changed_preferences()) }}{% endif %}",
) }}

with changed as (

    {{ users_with_changed_preferences() }}

),

signal_weights as (

    select * from {{ ref('signal_weights') }}

),

consents as (

    select * from {{ ref('attribute_updates') }}
    where
        event_type = 'consent_changed'
        and user_id is not null
        {% if is_incremental() -%}
        and (
            user_id in (select user_id from changed)
            or nameless_device in (select user_id from changed)
        )
        {%- endif %}

)

select
    *,
    {{ hash_of('user_id') }} as user_id_hash,
    {{ staged_through() }} as batch_sequence
from (
    {{ user_preferences('consents', 'signal_weights') }}
)
{% if is_incremental() -%}
-- What a device said is read for its owner as well, who may have said more.
where user_id in (select user_id from changed)
{%- endif %}
