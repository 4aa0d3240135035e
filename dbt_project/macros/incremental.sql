{#-
    How a micro-batch stays exact and cheap.

    `interaction.changes` lists the keys of every event that is new, or whose accepted delivery
    changed, since the last run that went through to its end and was published. A model forgets the rows of those keys
    and computes them anew from all the events of the keys. So the order and the cut of batches do
    not matter, a run that failed half-way is simply run again, and the cost follows what is new.
-#}

{#- The newest batch that readers can see; publishing, too, asks `changes` what it has to renew. -#}
{% macro published_through() -%}
    (select published_through from pipeline.state)
{%- endmacro %}

{#- As a pre-hook: drop the rows that are about to be computed anew. -#}
{% macro forget_touched(key, touched=none) -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where {{ key }} in ({{ touched or touched_keys(key) }})
    {%- endif %}
{%- endmacro %}

{% macro touched_keys(key) -%}
    select {{ key }} from {{ ref('changes') }} where {{ key }} is not null
{%- endmacro %}

{#- As a condition: only the touched keys, or everything on the first run. -#}
{% macro is_touched(key) -%}
    {#- Outside the condition, so that dbt sees the dependency when it parses. -#}
    {% set keys = touched_keys(key) -%}
    {% if is_incremental() -%}
    {{ key }} in ({{ keys }})
    {%- else -%}
    true
    {%- endif %}
{%- endmacro %}
