{#-
    How a raw object that was cleaned again replaces what it gave before. Both lists are written
    before dbt runs, see warehouse/taking_back.py; they are empty unless a batch reprocessed.
-#}

{#- Raw objects whose stored rows give way to the new ones, also where nothing is earlier. -#}
{% macro replaced_objects() -%}
    (select raw_object from lake.replaced_objects)
{%- endmacro %}

{#- Stored events that leave for good: no raw object holds them any more. -#}
{% macro withdrawn_events() -%}
    (select event_id from lake.withdrawn_events)
{%- endmacro %}

{#- What is arriving, unless the run that brought it is complete: then it is stored, and stays so. -#}
{% macro arrived() -%}
    (select * from {{ ref('arriving') }} where batch_sequence > {{ completed_through() }})
{%- endmacro %}

{#-
    As pre-hooks of the interactions: drop what another delivery replaces, what is withdrawn, and
    what this very run has stored already.
-#}
{% macro forget_replaced() -%}
    {% set replaced = arrived() ~ ' where is_replacement' -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where {{ has_key(this, 'event_id', 'select event_id from ' ~ replaced, days='select former_day from ' ~ replaced) }}
    {%- endif %}
{%- endmacro %}

{% macro forget_withdrawn() -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where {{ has_key(this, 'event_id', 'select event_id from lake.withdrawn_events') }}
    {%- endif %}
{%- endmacro %}

{% macro forget_arrived() -%}
    {% set arriving = arrived() -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where
        batch_sequence in (select batch_sequence from {{ arriving }})
        and event_id in (select event_id from {{ arriving }})
    {%- endif %}
{%- endmacro %}

{#- The newest batch that is being taken in. -#}
{% macro staged_through() -%}
    (select staged_through from pipeline.state)
{%- endmacro %}
