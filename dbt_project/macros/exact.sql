{#-
    Sums of floating-point numbers depend on their order in the last bits, and a parallel engine
    has no order. Summed as decimals they are the same in whatever order the events came.
-#}
{% macro exact_sum(expression) -%}
    sum(cast({{ expression }} as decimal(28, 12)))
{%- endmacro %}

{% macro share(numerator, denominator, digits=9) -%}
    round(cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0), {{ digits }})
{%- endmacro %}
