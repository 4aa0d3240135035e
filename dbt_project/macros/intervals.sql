{#- The quantile of the normal distribution for 95 %, and its square. -#}
{% macro normal_quantile() -%} 1.959964 {%- endmacro %}

{#-
    A bound of Wilson's score interval of a proportion (Wilson 1927, JASA 22, 209 to 212), `-` the lower
    and `+` the upper; null of nothing. The cases have to be independent: users or single answers.
-#}
{% macro wilson(successes, cases, sign) -%}
    {%- set z = normal_quantile() -%}
    {%- set share = successes ~ ' / nullif(' ~ cases ~ ', 0)::double' -%}
    case when {{ cases }} > 0 then round(
        greatest(least(
            (
                {{ share }} + {{ z }} * {{ z }} / (2 * {{ cases }})
                {{ sign }} {{ z }} * sqrt(
                    ({{ share }}) * (1 - {{ share }}) / {{ cases }}
                    + {{ z }} * {{ z }} / (4.0 * {{ cases }} * {{ cases }})
                )
            ) / (1 + {{ z }} * {{ z }} / {{ cases }}),
            1
        ), 0),
        9
    ) end
{%- endmacro %}

{#-
    Student's quantile for 95 %, expanded around the normal one (Abramowitz and Stegun 1964, 26.7.5). It is
    off by less than 0.0005 from nine degrees of freedom on.
-#}
{% macro student_quantile(freedom) -%}
    (
        {{ normal_quantile() }}
        + 2.372271 / ({{ freedom }})
        + 2.822499 / ({{ freedom }} * {{ freedom }}::double)
        + 2.555850 / ({{ freedom }} * {{ freedom }}::double * {{ freedom }})
    )
{%- endmacro %}
