{#- Only ever gains rows, so that what refers to them may stay whatever becomes of the user. -#}
with changes as (

    select * from {{ new_changes() }}

)

select distinct user_id
from changes
where
    user_id is not null
    {% if is_incremental() -%}
    and user_id not in (select user_id from {{ this }})
    {%- endif %}
