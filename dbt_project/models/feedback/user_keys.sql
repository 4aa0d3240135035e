{#-
    Only ever gains rows: DuckDB refuses to replace a row that a foreign key points to. It stands in
    this schema because a foreign key of DuckDB cannot leave its schema.
-#}
{{ config(full_refresh=false) }}

with interactions as (

    select * from {{ ref('interactions') }}

)

select distinct user_id
from interactions
where
    user_id is not null
    and {{ is_touched('user_id') }}
    {% if is_incremental() -%}
    and user_id not in (select user_id from {{ this }})
    {%- endif %}
