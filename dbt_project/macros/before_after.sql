{#-
    What is compared before and after a change, and over which days.

    Days count whole. The day of the change belongs to neither side, and the other days to both alike: as
    many before as are over after it, a week at the most, so that each side has every day of the week. A day
    is over with half an hour of the next: then a click on what it showed has come, or does not count.
-#}

{#- As many days before and after. -#}
{% macro compared_days() -%} 7 {%- endmacro %}

{#- Fewer users than these tell too little of how users differ for an interval. -#}
{% macro fewest_compared_users() -%} 10 {%- endmacro %}

{#-
    name → (numerator, denominator, by how much the numerator is to be divided). The names and what they
    mean are those of adjustment/rules/metrics.py. Numerators are whole numbers, so that their sums and
    those of their products are exact.
-#}
{% macro compared_metrics() -%}
    {{ return({
        'click_through_rate': ('sum(recommended_clicks)', 'sum(recommended_impressions)', 1),
        'bounce_rate': ('sum(bounces)', 'sum(visits)', 1),
        'session_seconds': ('sum(visit_milliseconds)', 'sum(visits)', 1000),
        'conversion_rate': ('sum(converted_visits)', 'sum(visits)', 1),
        'average_rating': ('sum(rating_millionths)', 'sum(ratings)', 1000000),
        'net_promoter_share': ('sum(nps_balance)', 'sum(nps_answers)', 1),
        'csat': ('sum(csat_satisfied)', 'sum(csat_answers)', 1),
    }) }}
{%- endmacro %}

{#-
    The changes of which a whole day is over, each with how many days are compared. A change that was taken
    back is compared up to the day before that.

    `metrics.adjustments` is named, not declared as a source: rules are evaluated behind these models, so the
    graph would be a circle. It has what was adjusted up to the batch before; what is new has no day yet.
-#}
{% macro compared_changes() -%}
    (
        with changes_made as (

            select
                'model_version' as kind,
                version as subject,
                promoted_at as "at",
                cast(null as timestamp) as undone_at
            from {{ source('ml', 'model_versions') }}
            where promoted_at is not null
            union all
            select 'adjustment' as kind, adjustment_id as subject, "at", undone_at
            from metrics.adjustments

        ),

        dated as (

            select
                kind,
                subject,
                "at",
                cast("at" as date) as day,
                least(
                    {{ compared_days() }},
                    coalesce(cast(undone_at as date) - cast("at" as date) - 1, {{ compared_days() }})
                ) as days_to_compare,
                cast({{ newest_event() }} - interval 1470 minutes as date) - cast("at" as date)
                    as days_over
            from changes_made

        ),

        due as (

            select
                kind,
                subject,
                "at",
                day,
                cast(least(days_to_compare, days_over) as integer) as days,
                days_over >= days_to_compare as is_complete
            from dated
            -- Not the least of both: that would pass over days_over, which is null before any event.
            where days_to_compare >= 1 and days_over >= 1

        )

        select
            due.*,
            count(others.subject) as other_changes
        from due
        left join dated as others
            on
                others.day between due.day - due.days and due.day + due.days
                and (others.kind, others.subject) <> (due.kind, due.subject)
        group by all
    )
{%- endmacro %}

{#- As a pre-hook: drop the comparisons that are to be made over other days, or of whose days one changed. -#}
{% macro forget_stale_comparisons() -%}
    {% if is_incremental() -%}
    delete from {{ this }}
    where
        (kind, subject, "at", after_days, is_complete, other_changes) not in (
            select (kind, subject, "at", days, is_complete, other_changes) from {{ compared_changes() }}
        )
        or (kind, subject) in (
            select (compared.kind, compared.subject)
            from {{ compared_changes() }} as compared
            inner join (select distinct day from {{ ref('touched_user_days') }}) as touched
                on
                    touched.day between compared.day - compared.days and compared.day + compared.days
                    and touched.day <> compared.day
        )
    {%- endif %}
{%- endmacro %}
