{#-
    What each engine has its own functions of JSON for. All else is said once, in DuckDB's words, and
    translated (feedback_platform/warehouse/engines/).
-#}

{#- The value of one property of a JSON object, whatever the property's name, as JSON. -#}
{% macro json_property(properties, property) -%}
    {{ return(adapter.dispatch('json_property')(properties, property)) }}
{%- endmacro %}

{% macro default__json_property(properties, property) -%}
    json_extract(
                {{ properties }}, '/' || replace(replace({{ property }}, '~', '~0'), '/', '~1')
            )
{%- endmacro %}

{% macro spark__json_property(properties, property) -%}
    coalesce(
        to_json(element_at(
            variant_get(try_parse_json({{ properties }}), '$', 'map<string, variant>'), {{ property }}
        )),
        'null'
    )
{%- endmacro %}

{#- An aggregate: the JSON object of all properties of a group, sorted by name. -#}
{% macro json_object_of(property, value) -%}
    {{ return(adapter.dispatch('json_object_of')(property, value)) }}
{%- endmacro %}

{% macro default__json_object_of(property, value) -%}
    to_json(map_from_entries(list(({{ property }}, {{ value }}) order by {{ property }})))
{%- endmacro %}

{% macro spark__json_object_of(property, value) -%}
    concat(
        '{',
        array_join(
            list(concat(to_json(cast({{ property }} as variant)), ':', {{ value }}) order by {{ property }}),
            ','
        ),
        '}'
    )
{%- endmacro %}

{#- The texts in the JSON array that an object has as a property; null when it has none. -#}
{% macro json_texts(json, property) -%}
    {{ return(adapter.dispatch('json_texts')(json, property)) }}
{%- endmacro %}

{% macro default__json_texts(json, property) -%}
    try_cast(json_extract({{ json }}, '$.{{ property }}') as varchar[])
{%- endmacro %}
