{#-
    How models are written. dbt's own ways compare the columns of each table with its contract, make
    a temporary table of the rows and look the columns up again, at every run: a dozen statements for
    a model, more than half of what a micro-batch took. Here a table is compared with its contract
    when it is made; then its definition cannot change, because a warehouse that comes from other
    definitions is built anew as a whole (see warehouse/transformation.py).
-#}

{#- A table that a run adds to, in one transaction with the model's hooks. -#}
{% materialization incremental, adapter='duckdb', supported_languages=['sql'] -%}
    {% set existing = load_cached_relation(this) -%}
    {% set target = this.incorporate(type='table') -%}
    {% if existing is not none and should_full_refresh() -%}
        {{ exceptions.raise_compiler_error(
            "One model alone cannot be built anew: delete the warehouse file, and the next run builds all."
        ) }}
    {%- endif %}
    {% set unique_key = config.get('unique_key') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('main') -%}
        {% if existing is none -%}
        {{ create_table_as(False, target, sql) }}
        {%- elif unique_key -%}
        create or replace temporary table {{ this.identifier }}__arriving as {{ sql }};
        delete from {{ target }}
        where {{ unique_key }} in (select {{ unique_key }} from {{ this.identifier }}__arriving);
        insert into {{ target }} by name select * from {{ this.identifier }}__arriving;
        drop table {{ this.identifier }}__arriving
        {%- else -%}
        insert into {{ target }} by name {{ sql }}
        {%- endif %}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}
{%- endmaterialization %}

{#- A table that each run writes whole. -#}
{% materialization table, adapter='duckdb', supported_languages=['sql'] -%}
    {% set target = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('main') -%}
        {% if load_cached_relation(this) is none -%}
        {{ create_table_as(False, target, sql) }}
        {%- else -%}
        truncate {{ target }};
        insert into {{ target }} by name {{ sql }}
        {%- endif %}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}
{%- endmaterialization %}
