{#- That sums which are kept up to date are those of the scores. -#}
{% test adds_up(model, scores, rules) %}

with expected as (

    {{ item_opinions(scores, rules) }}

)

(select * from {{ model }} except select * from expected)
union all
(select * from expected except select * from {{ model }})

{% endtest %}
