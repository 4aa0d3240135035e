{#- Only ever gains rows, so that what refers to them may stay whatever becomes of the item. -#}
with changes as (

    select * from {{ new_changes() }}

)

select distinct item_id
from changes
where
    item_id is not null
    {% if is_incremental() -%}
    and item_id not in (select item_id from {{ this }})
    {%- endif %}
