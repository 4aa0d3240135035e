{#-
    A table as an earlier run left it, or none. Only DuckDB adds to its tables; other engines build each
    table whole, see materializations.sql beside this file, and nothing is stored for them before.
-#}
{% macro stored_relation(schema, identifier) -%}
    {{ return(adapter.dispatch('stored_relation')(schema, identifier)) }}
{%- endmacro %}

{% macro default__stored_relation(schema, identifier) -%}
    {{ return(none) }}
{%- endmacro %}

{% macro duckdb__stored_relation(schema, identifier) -%}
    {{ return(adapter.get_relation(database=this.database, schema=schema, identifier=identifier)) }}
{%- endmacro %}

{#- An operation on a warehouse of DuckDB whose tables another engine built: the functions over them. -#}
{% macro create_readers_functions() -%}
    {% do run_query(
        create_layers_as_of()
        ~ create_item_features_as_of()
        ~ create_user_features_as_of()
        ~ create_inferred_ratings_as_of()
        ~ create_training_affinities_as_of()
    ) -%}
{%- endmacro %}
