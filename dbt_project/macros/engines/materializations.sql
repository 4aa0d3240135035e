{#-
    How tables are written where the warehouse is not DuckDB: whole, each time, from all clean rows. The
    hooks of the models keep tables up to date by increments, and enforce keys by triggers; a table that
    is written whole needs none of them.
-#}

{#- Between these marks stands DuckDB's SQL; the connection translates it (warehouse/engines/adapters.py). -#}
{% macro from_duckdb(sql) -%}
    /* from duckdb */ {{ sql }} /* to here */
{%- endmacro %}

{#-
    The rows of a model in the columns of its contract, in that order and of those types. So a model that
    lacks a column of its contract, or gives one that cannot be cast, fails here as well.
-#}
{% macro in_contract(sql) -%}
    {% set typed = [] -%}
    {% for column in model.columns.values() if column.data_type -%}
        {% do typed.append('cast("' ~ column.name ~ '" as ' ~ column.data_type ~ ') as "' ~ column.name ~ '"') -%}
    {% endfor -%}
    {% if typed -%}
    select {{ typed | join(', ') }} from ({{ sql }}) as defined
    {%- else -%}
    {{ sql }}
    {%- endif %}
{%- endmacro %}

{% macro write_whole_table(sql) -%}
    {% set target_relation = this.incorporate(type='table') -%}
    {% set existing = load_cached_relation(this) -%}
    {% if existing is not none -%}
        {% do adapter.drop_relation(existing) -%}
    {% endif -%}
    {% call statement('main') -%}
        create table {{ target_relation }} {{ file_format_clause() if target.type == 'spark' }} as
        {{ from_duckdb(in_contract(sql)) }}
    {%- endcall %}
    {{ return({'relations': [target_relation]}) }}
{%- endmacro %}

{% materialization incremental, adapter='spark', supported_languages=['sql'] -%}
    {{ return(write_whole_table(sql)) }}
{%- endmaterialization %}

{% materialization table, adapter='spark', supported_languages=['sql'] -%}
    {{ return(write_whole_table(sql)) }}
{%- endmaterialization %}

{#- A seed, of its columns' types. Two rows of values more or less: no need to insert them in batches. -#}
{% macro spark__create_csv_table(model, agate_table) -%}
    {% set types = model['config'].get('column_types', {}) -%}
    {% set rows = [] -%}
    {% for row in agate_table.rows -%}
        {% set cells = [] -%}
        {% for name in agate_table.column_names -%}
            {% set text = 'null' if row[name] is none else "'" ~ (row[name] | string | replace("'", "''")) ~ "'" -%}
            {% do cells.append('cast(' ~ text ~ ' as ' ~ types.get(name, 'varchar') ~ ') as "' ~ name ~ '"') -%}
        {% endfor -%}
        {% do rows.append('select ' ~ cells | join(', ')) -%}
    {% endfor -%}
    {% set sql -%}
        create table {{ this.render() }} {{ file_format_clause() }} as
        {{ from_duckdb(rows | join(' union all ')) }}
    {%- endset %}
    {% call statement('_') -%}
        {{ sql }}
    {%- endcall %}
    {{ return(sql) }}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {{ return('') }}
{%- endmacro %}
