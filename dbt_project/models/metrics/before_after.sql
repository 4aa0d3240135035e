{#-
    Each metric before and after each change; macros/before_after.sql says of what and over which days.

    Most users are in both windows, and what one user does is alike. So the user is the unit: a
    difference of two ratios of sums over users, its variance by the delta method with the covariance of
    both windows (Cochran 1977, "Sampling Techniques", 2.11 and 6.3), with Student's quantile. Without
    differences between users on either side nothing is known of chance, and there is no interval.

    A change is compared when it has no rows; the hook drops those that are stale.
-#}
{{ config(pre_hook="{{ forget_stale_comparisons() }}") }}

-- depends_on: {{ ref('touched_user_days') }}

with compared as (

    select * from {{ compared_changes() }}
    {% if is_incremental() -%}
    where (kind, subject) not in (select (kind, subject) from {{ this }})
    {%- endif %}

),

window_days as (

    select kind, subject, day - cast(distance as integer) as day, false as is_after
    from (select *, unnest(range(1, days + 1)) as distance from compared)
    union all
    select kind, subject, day + cast(distance as integer) as day, true as is_after
    from (select *, unnest(range(1, days + 1)) as distance from compared)

),

user_days as (

    select
        user_days.*,
        cast(user_days.rating_total * 1000000 as bigint) as rating_millionths
    from {{ ref('user_days') }} as user_days
    anti join {{ users_not_measured() }} as not_measured on user_days.user_id = not_measured.user_id
    where user_days.day in (select day from window_days)

),

by_user as (

    select
        window_days.kind,
        window_days.subject,
        user_days.user_id
        {%- for name, (numerator, denominator, scale) in compared_metrics().items() -%}
        {%- for window, condition in {'before': 'not is_after', 'after': 'is_after'}.items() %},
        coalesce({{ numerator }} filter (where {{ condition }}), 0) as {{ name }}_{{ window }},
        coalesce({{ denominator }} filter (where {{ condition }}), 0) as {{ name }}_{{ window }}_n
        {%- endfor %}
        {%- endfor %}
    from user_days
    inner join window_days on user_days.day = window_days.day
    group by all

),

measured as (

    {% for name, (numerator, denominator, scale) in compared_metrics().items() -%}
    select
        kind,
        subject,
        '{{ name }}' as metric,
        {{ scale }}.0::double as scale,
        {{ name }}_before as x,
        {{ name }}_before_n as n,
        {{ name }}_after as y,
        {{ name }}_after_n as m
    from by_user
    where {{ name }}_before_n + {{ name }}_after_n > 0
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

summed as (

    select
        kind,
        subject,
        metric,
        any_value(scale) as scale,
        count(*) as users
        {%- for sum in ['x', 'y'] %},
        sum({{ sum }})::double as {{ sum }}
        {%- endfor %}
        {%- for sum in ['n', 'm'] %},
        nullif(sum({{ sum }}), 0)::double as {{ sum }}
        {%- endfor %}
        {%- for first, second in ['xx', 'xn', 'nn', 'yy', 'ym', 'mm', 'xy', 'xm', 'ny', 'nm'] %},
        sum({{ first }}::hugeint * {{ second }}::hugeint)::double as {{ first }}{{ second }}
        {%- endfor %}
    from measured
    group by kind, subject, metric

),

varied as (

    select
        *,
        x / n as before_ratio,
        y / m as after_ratio,
        (xx - 2 * (x / n) * xn + (x / n) * (x / n) * nn) / (n * n) as before_variance,
        (yy - 2 * (y / m) * ym + (y / m) * (y / m) * mm) / (m * m) as after_variance,
        (xy - (x / n) * ny - (y / m) * xm + (x / n) * (y / m) * nm) / (n * m) as covariance
    from summed

),

judged as (

    select
        *,
        case
            when
                users >= {{ fewest_compared_users() }}
                and before_variance > 0
                and after_variance > 0
            then
                {{ student_quantile('(users - 1)') }} * sqrt(
                    users / (users - 1.0)
                    * greatest(before_variance + after_variance - 2 * covariance, 0)
                )
        end as reach
    from varied

),

metrics as (

    select unnest({{ compared_metrics().keys() | list }}) as metric

)

select
    compared.kind,
    compared.subject,
    compared."at",
    metrics.metric,
    compared.days as before_days,
    compared.days as after_days,
    coalesce(judged.n, 0)::bigint as before_n,
    round(judged.before_ratio / judged.scale, 9) as before,
    coalesce(judged.m, 0)::bigint as after_n,
    round(judged.after_ratio / judged.scale, 9) as after,
    round((judged.after_ratio - judged.before_ratio) / judged.scale, 9) as difference,
    round((judged.after_ratio - judged.before_ratio - judged.reach) / judged.scale, 9) as low,
    round((judged.after_ratio - judged.before_ratio + judged.reach) / judged.scale, 9) as high,
    compared.is_complete,
    coalesce(judged.users, 0) as users,
    compared.other_changes
from compared
cross join metrics
left join judged
    on
        compared.kind = judged.kind
        and compared.subject = judged.subject
        and metrics.metric = judged.metric
