{#-
    What users think of each item, all together; macros/item_opinions.sql has the definition, and why
    it is kept by adding up what changed.
-#}
{{ config(
    unique_key='item_id',
    post_hook=["delete from pipeline.opinion_changes", "delete from {{ this }} where users = 0"]
) }}

-- depends_on: {{ ref('feedback_scores') }}

-- depends_on: {{ ref('score_rules') }}

with changed as (

    {% if notes_opinions() -%}
    select * from pipeline.opinion_changes
    {%- else -%}
    {{ item_opinions(ref('feedback_scores'), ref('score_rules')) }}
    {%- endif %}
    {% if is_incremental() -%}
    union all
    select * from {{ this }}
    where item_id in (select item_id from pipeline.opinion_changes)
    {%- endif %}

)

select
    item_id,
    cast(sum(users) as bigint) as users,
    cast(sum(fans) as bigint) as fans,
    cast(sum(score_total) as decimal(38, 12)) as score_total,
    cast(sum(confidence_total) as decimal(38, 12)) as confidence_total
from changed
group by item_id
