{#-
    How a micro-batch stays exact and cheap.

    `interaction.changes` lists the keys of every event that is new, or whose accepted delivery
    changed, since the last run that went through to its end. A model forgets the rows of those keys
    and computes them anew. So the order and the cut of batches do not matter, and a run that failed
    half-way is simply run again.

    Whatever a run writes bears the number of a batch that it takes in: an event the number of its
    own, a stored row that moves or is judged anew the newest. So `batch_sequence` finds what a run
    wrote, or one that died, and the storage knows where those numbers are. What goes for good has
    no row to bear a number; that is in `changes` alone, as `is_leaving`.

    So that the cost follows what is new, no model computes a key from all the events that the key
    ever had. `activity` and `item_days` count by day; a day of a key is computed from the events of
    that day, and the other models add the days up. Events mostly arrive on their day, so those of a
    day lie together; how far apart they are read follows how late events come.
-#}

{#- The newest batch that has reached every table. -#}
{% macro completed_through() -%}
    (select completed_through from pipeline.state)
{%- endmacro %}

{#-
    As a pre-hook of `changes`: drop what every table and every reader has. Publishing, too, asks
    `changes` what it has to renew; a first publication renews everything.
-#}
{% macro forget_published() -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where batch_sequence <= (
        select case when published_through = 0 then completed_through else published_through end
        from pipeline.state
    )
    {%- endif %}
{%- endmacro %}

{#- What changed since the last complete run, as a relation. -#}
{% macro new_changes() -%}
    (select * from {{ ref('changes') }} where batch_sequence > {{ completed_through() }})
{%- endmacro %}

{#- As a pre-hook: drop the rows that are about to be computed anew. -#}
{% macro forget_touched(key, touched=none) -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where {{ key }} in ({{ touched or touched_keys(key) }})
    {%- endif %}
{%- endmacro %}

{#- The same in a table with hashes of the key. -#}
{% macro forget_touched_by_hash(key, touched=none) -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where {{ has_hash(this, key, touched or touched_keys(key)) }}
    {%- endif %}
{%- endmacro %}

{% macro touched_keys(key) -%}
    select {{ key }} from {{ new_changes() }} where {{ key }} is not null
{%- endmacro %}

{#-
    As a condition on a relation with a day: only what a key did on its touched days, or everything
    on the first run. The days come first: by them the storage leaves out what lies apart from them.
-#}
{% macro is_touched_day(key) -%}
    {#- Outside the condition, so that dbt sees the dependency when it parses. -#}
    {% set changes = new_changes() -%}
    {% if is_incremental() -%}
    day in (select day from {{ changes }})
    and ({{ key }}, day) in (select ({{ key }}, day) from {{ changes }} where {{ key }} is not null)
    {%- else -%}
    true
    {%- endif %}
{%- endmacro %}

{#- As a pre-hook: drop the touched days of a key. -#}
{% macro forget_touched_days(key) -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where {{ is_touched_day(key) }}
    {%- endif %}
{%- endmacro %}

{#- As pre-hooks: drop what a run that died wrote, and what goes for good or comes anew. -#}
{% macro forget_unfinished() -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where batch_sequence > {{ completed_through() }}
    {%- endif %}
{%- endmacro %}

{% macro forget_leaving(event_id) -%}
    {% if is_incremental() -%}
    {% set leaving = new_changes() ~ ' where is_leaving' -%}
    {% set keys = 'select event_id as ' ~ event_id ~ ' from ' ~ leaving -%}
    delete from {{ this }}
    where {{ has_key(this, event_id, keys, days='select day from ' ~ leaving) }}
    {%- endif %}
{%- endmacro %}

{#-
    As a condition on interactions: the rows that this run wrote, or everything on the first run.
    They have the numbers of the new batches, so the storage knows where they are.
-#}
{% macro is_newly_stored() -%}
    {% set changes = new_changes() -%}
    {% if is_incremental() -%}
    batch_sequence > {{ completed_through() }}
    and event_id in (select event_id from {{ changes }})
    {%- else -%}
    true
    {%- endif %}
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

{#- The same of a table with hashes of the key. -#}
{% macro is_touched_by_hash(table, key, touched=none) -%}
    {% set keys = touched or touched_keys(key) -%}
    {% if is_incremental() -%}
    {{ has_hash(table, key, keys) }}
    {%- else -%}
    true
    {%- endif %}
{%- endmacro %}
