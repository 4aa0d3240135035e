{#- What counts as doing something: more than being shown an item or looking at it. -#}
{% macro is_engagement() -%}
    event_type in (
        'item_clicked',
        'item_liked',
        'item_dismissed',
        'item_rated',
        'item_used',
        'item_converted',
        'survey_answered'
    )
{%- endmacro %}
