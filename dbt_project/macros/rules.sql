{#- A constant of seeds/score_rules.csv; `score_rules` is the relation that holds it. -#}
{% macro rule(name, score_rules) -%}
    (select value from {{ score_rules }} where rule = '{{ name }}')
{%- endmacro %}
