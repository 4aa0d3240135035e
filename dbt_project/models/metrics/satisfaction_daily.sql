{#-
    What users say, by day. NPS is the share of promoters (9 and 10) less that of detractors (0 to
    6), in points from -100 to 100. Its 95 % interval is Wald's with one more promoter and one more
    detractor (Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data": two shares of one sample, as here). Without them, answers that
    are all alike would have an interval of no width. CSAT is the share of 4 and 5 among the answers
    from 1 to 5, with Wilson's interval.
-#}
{{ config(pre_hook="{{ forget_touched('day') }}") }}

-- depends_on: {{ ref('changes') }}

with interactions as (

    select * from {{ ref('interactions') }}
    where
        event_type in ('survey_answered', 'item_rated')
        and {{ is_by_a_person() }}
        and {{ is_touched('day') }}

),

answers as (

    select
        day,
        event_type = 'survey_answered' and properties ->> 'survey' = 'nps' as is_nps,
        event_type = 'survey_answered' and properties ->> 'survey' = 'csat' as is_csat,
        event_type = 'item_rated' as is_rating,
        value
    from interactions

),

counted as (

    select
        day,
        count(*) filter (where is_nps) as responses,
        count(*) filter (where is_nps and value >= 9) as promoters,
        count(*) filter (where is_nps and value <= 6) as detractors,
        {{ csat_figures('is_csat') }},
        count(*) filter (where is_rating) as ratings,
        sum(cast(value as decimal(18, 6))) filter (where is_rating) as rating_total
    from answers
    group by day

),

scored as (

    select
        *,
        (promoters - detractors) / nullif(responses, 0)::double as score,
        (promoters - detractors) / (responses + 2)::double as middle,
        (promoters + detractors + 2) / (responses + 2)::double as spread
    from counted

),

bounded as (

    select
        *,
        {{ normal_quantile() }} * sqrt((spread - middle * middle) / (responses + 2)) as reach
    from scored

)

select
    day,
    responses,
    round(100 * score, 6) as nps,
    -- Of nothing there is no interval.
    case when responses > 0 then round(100 * greatest(middle - reach, -1), 6) end as nps_low,
    case when responses > 0 then round(100 * least(middle + reach, 1), 6) end as nps_high,
    ratings,
    {{ share('rating_total', 'ratings') }} as average_rating,
    csat_answers as csat_responses,
    {{ share('csat_satisfied', 'csat_answers') }} as csat,
    {{ wilson('csat_satisfied', 'csat_answers', '-') }} as csat_low,
    {{ wilson('csat_satisfied', 'csat_answers', '+') }} as csat_high
from bounded
where responses > 0 or ratings > 0 or csat_answers > 0
