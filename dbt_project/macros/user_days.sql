{#-
    The figures of users by day, from which the metrics of days, weeks and windows are added up.

    A day of a user is a function of that day's events and, as a click follows its impression by up to
    half an hour, of the clicks in the first half hour of the next. Twelve events become one row,
    so whatever asks for many days, as retention and a comparison of before and after do, reads those.
-#}

{#- As a condition: how late a click may be to count for its impression; adjustment/rules/metrics.py says why. -#}
{% macro is_click_of(clicked_at, shown_at) -%}
    {{ clicked_at }} <= {{ shown_at }} + interval 30 minutes
{%- endmacro %}

{#- As a condition on clicks: whether one may be of an impression of the day before. -#}
{% macro is_after_midnight(occurred_at) -%}
    {{ occurred_at }} < date_trunc('day', {{ occurred_at }}) + interval 30 minutes
{%- endmacro %}

{#- The days of users that a run counts anew. -#}
{% macro recounted_user_days() -%}
    (select user_id, day from {{ ref('touched_user_days') }} where is_recounted)
{%- endmacro %}

{#- As a pre-hook: drop them. The days come first, because the storage knows where those are. -#}
{% macro forget_recounted_user_days() -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where
        day in (select day from {{ recounted_user_days() }})
        and (user_id, day) in (select (user_id, day) from {{ recounted_user_days() }})
    {%- endif %}
{%- endmacro %}

{#-
    As a condition on a relation with a day and a user: those days of users, or all on the first run;
    so many days later.
-#}
{% macro is_recounted(days_later=0) -%}
    {#- Outside the condition, so that dbt sees the dependency when it parses. -#}
    {% set recounted = recounted_user_days() -%}
    {% if is_incremental() -%}
    day in (select day + {{ days_later }} from {{ recounted }})
    and (user_id, day) in (select (user_id, day + {{ days_later }}) from {{ recounted }})
    {%- else -%}
    true
    {%- endif %}
{%- endmacro %}

{#- The days of which somebody's figures are other than they were, or count now, or no longer. -#}
{% macro touched_days() -%}
    select day from {{ ref('touched_user_days') }}
{%- endmacro %}

{#- As a condition: only those days, or all on the first run. -#}
{% macro is_touched_metric_day() -%}
    {% set days = touched_days() -%}
    {% if is_incremental() -%}
    day in ({{ days }})
    {%- else -%}
    true
    {%- endif %}
{%- endmacro %}

{#-
    Whoever switched off personalisation or research, by their latest word on it. The figures by which
    the product is judged and changed leave them out: the same definition as `taking_part.py` has.
-#}
{% macro users_not_measured() -%}
    (select user_id from {{ ref('user_preferences') }} where not (personalisation and research))
{%- endmacro %}

{#-
    When the newest event happened. A sender may claim any time; nothing happens after it was received.
    Not by `max`, which reads all rows: who looks for the first of an order leaves out what lies behind it.
-#}
{% macro newest_event() -%}
    least(
        (select last_at from {{ ref('user_days') }} order by last_at desc limit 1),
        (select last_received_at from {{ ref('user_days') }} order by last_received_at desc limit 1)
    )
{%- endmacro %}

{#- What a visit of a day is like. Events without a visit make none. -#}
{% macro visit_figures(of='') -%}
    date_diff('millisecond', min({{ of }}occurred_at), max({{ of }}occurred_at)) as milliseconds,
    count(*) filter (where {{ is_engagement() }}) = 0
    and count(*) filter (where event_type = 'item_viewed') <= 1 as is_bounce
{%- endmacro %}

{#- What was done in it, or apart from visits. -#}
{% macro deed_figures() -%}
    count(*) filter (where event_type = 'item_impression') as impressions,
    count(*) filter (where event_type = 'item_clicked') as clicks,
    count(*) filter (where event_type = 'item_converted') as conversions
{%- endmacro %}

{#- The sums of both over the visits of a day. -#}
{% macro day_figures() -%}
    count(session_id) as visits,
    cast(coalesce(sum(milliseconds) filter (where session_id is not null), 0) as bigint)
        as visit_milliseconds,
    count(*) filter (where session_id is not null and is_bounce) as bounces,
    cast(sum(impressions) as bigint) as impressions,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(conversions) as bigint) as conversions
{%- endmacro %}

{#-
    Answers to surveys. NPS: promoters (9 and 10) less detractors (0 to 6). CSAT: of the answers from 1
    to 5, those of 4 and 5; an answer on another scale is none.
-#}
{% macro survey_figures() -%}
    count(*) filter (where survey = 'nps') as nps_answers,
    count(*) filter (where survey = 'nps' and value >= 9)
    - count(*) filter (where survey = 'nps' and value <= 6) as nps_balance,
    {{ csat_figures("survey = 'csat'") }}
{%- endmacro %}

{% macro csat_figures(is_csat) -%}
    count(*) filter (where {{ is_csat }} and value between 1 and 5) as csat_answers,
    count(*) filter (where {{ is_csat }} and value between 4 and 5) as csat_satisfied
{%- endmacro %}

{#- The days of which conversion is computed: what users did changed, or the segments that they are in. -#}
{% macro days_to_convert() -%}
    select day from {{ ref('touched_user_days') }} union select day from {{ ref('engagement_days') }}
{%- endmacro %}
