{#-
    What one user did on one day, in one visit and on one kind of device, counted. Visits, users and
    their features are sums of it.
-#}
{{ config(pre_hook="{{ forget_touched_days('user_id') }}") }}

-- depends_on: {{ ref('changes') }}

with interactions as (

    select * from {{ ref('interactions') }}
    where user_id is not null and {{ is_touched_day('user_id') }}

)

select
    *,
    {{ hash_of('user_id') }} as user_id_hash,
    {{ hash_of('session_id') }} as session_id_hash
from (
    {{ activity('interactions') }}
)
