{#- For so many weeks after the one in which users came retention is told. -#}
{% macro weeks_followed() -%} 52 {%- endmacro %}

{#- The Monday of the last week that is over. -#}
{% macro last_finished_week() -%}
    cast(date_trunc('week', {{ newest_event() }} - interval 7 days) as date)
{%- endmacro %}

{% macro weeks_between(earlier, later) -%}
    (date_diff('day', {{ earlier }}, {{ later }}) // 7)
{%- endmacro %}

{#-
    As a pre-hook: drop the cohorts of which one more week is over, and those in which somebody's weeks may
    have changed. A touched user came in one of the weeks in which they are there now, or in which something
    of theirs came or went; so whose cohort is another than it was is found in both. What happens in the
    present week changes nothing yet.
-#}
{% macro forget_touched_cohorts() -%}
    {% if is_incremental() -%}
    {%- set weeks_over = weeks_between('cohort_week', last_finished_week()) %}
    delete from {{ this }}
    where
        cohort_week in (
            select cohort_week
            from {{ this }}
            group by cohort_week
            having max(week) <> least({{ weeks_over }}, {{ weeks_followed() }})
        )
        or cohort_week in (
            with late as (
                select user_id, cast(date_trunc('week', day) as date) as week
                from {{ ref('touched_user_days') }}
                where day < {{ last_finished_week() }} + 7
            )

            select week from late
            union
            select unnest(weeks) as week
            from {{ ref('user_histories') }}
            where {{ has_hash(ref('user_histories'), 'user_id', 'select user_id from late') }}
        )
    {%- endif %}
{%- endmacro %}
