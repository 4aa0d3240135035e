{#-
    The categories of the cleaning rules (feedback_platform/cleaning/signals.toml), in columns: what
    a table's columns are cannot depend on a user's file. A category of such a file that is not
    among these counts as `other`.
-#}
{% macro encoded_categories(encoding) -%}
    {{ return({
        "device": ["desktop", "mobile", "tablet"],
        "platform": ["web", "ios", "android", "macos", "windows", "linux"]
    }[encoding]) }}
{%- endmacro %}

{#- One column for each category, for what is none of them, and for what was not said; one is 1. -#}
{% macro one_hot(category, encoding) -%}
    {% for known in encoded_categories(encoding) -%}
    ({{ category }} = '{{ known }}')::integer as is_{{ encoding }}_{{ known }},
    {% endfor -%}
    ({{ category }} not in ('{{ encoded_categories(encoding) | join("', '") }}', 'unknown'))::integer
        as is_{{ encoding }}_other,
    ({{ category }} = 'unknown')::integer as is_{{ encoding }}_unknown
{%- endmacro %}
