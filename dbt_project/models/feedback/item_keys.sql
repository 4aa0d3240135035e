{#-
    Only ever gains rows: DuckDB refuses to replace a row that a foreign key points to. It stands in
    this schema because a foreign key of DuckDB cannot leave its schema.
-#}
{{ config(full_refresh=false) }}

with interactions as (

    select * from {{ ref('interactions') }}

)

select distinct item_id
from interactions
where
    item_id is not null
    and {{ is_touched('item_id') }}
    {% if is_incremental() -%}
    and item_id not in (select item_id from {{ this }})
    {%- endif %}
