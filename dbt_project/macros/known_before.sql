{#-
    The layers as they were known at any time, for readers and for training: table functions over
    the definitions that build the tables, fed with the events that happened before that time.

    Whatever is derived from events is derived from those alone: whose an anonymous event is, what
    a visit is, what an item's categories are. So `features.user_features_as_of(t)` has the rows
    that `features.user_features` of a platform has to which nothing happened from t on.
-#}

{#- As a post-hook of the last of them: all of these layers. Like the tables, they are made once. -#}
{% macro create_layers_as_of() -%}
    {{ create_interactions_as_of() }}
    {{ create_user_preferences_as_of() }}
    {{ create_user_feedback_as_of() }}
    {{ create_feedback_scores_as_of() }}
    {{ create_training_scores_as_of() }}
    {{ create_users_as_of() }}
    {{ create_items_as_of() }}
{%- endmacro %}

{#-
    The interactions before a time. A device is its user's as soon as a link is known, and what
    went before follows; so events whose link came later are their device's still. Visits and bursts
    of those days, and of the day of the time itself, are made anew from what was known. All others
    stand as they are stored.
-#}
{% macro create_interactions_as_of() -%}
    create or replace macro interaction.interactions_as_of(known_before) as table (
        with known as not materialized (
            select * from interaction.interactions where occurred_at < known_before
        ),

        identified as (
            select event_type, anonymous_id, user_id as identified_user_id, occurred_at, event_id, properties
            from known
            where is_identified and (anonymous_id is not null or event_type = 'user_aliased')
        ),

        owners as (
            select anonymous_id, arg_min(user_id, row(linked_at, event_id)) as user_id
            from ({{ device_links('identified') }})
            group by anonymous_id
        ),

        owned as not materialized (
            select
                known.* exclude (user_id),
                known.user_id as later_user_id,
                {{ owner_of_event(
                    'case when known.is_identified then known.user_id end',
                    'owners.user_id',
                    'known.anonymous_id'
                ) }} as user_id
            from known
            left join owners on known.anonymous_id = owners.anonymous_id
        ),

        unlike_days as (
            select distinct later_user_id, day
            from owned
            where user_id is distinct from later_user_id or day = cast(known_before as date)
        ),

        marked as not materialized (
            select
                *,
                {{ is_visited() }}
                and (later_user_id, day) in (select (later_user_id, day) from unlike_days) as is_unlike
            from owned
        ),

        unlike as (
            select * exclude (is_burst, burst_rule, burst_bound) from marked where is_unlike
        ),

        judged as (
            {{ with_bursts('unlike', 'interaction.burst_limits') }}
        ),

        sessionless as (
            select * exclude (session_id) from judged where is_session_inferred
        )

        select * exclude (later_user_id, is_unlike) from marked where not is_unlike
        union all by name
        select * exclude (later_user_id, is_unlike) from judged where not is_session_inferred
        union all by name
        select * exclude (later_user_id, is_unlike) from ({{ with_visits('sessionless') }})
    );
{%- endmacro %}

{% macro create_user_preferences_as_of() -%}
    create or replace macro interaction.user_preferences_as_of(known_before) as table (
        {{ preferences_as_of('interaction.interactions_as_of(known_before)') }}
    );
{%- endmacro %}

{% macro preferences_as_of(interactions) -%}
    select * from (
        {{ user_preferences(
            "(select *, " ~ nameless_device('is_identified', 'anonymous_id') ~ " as nameless_device from "
            ~ interactions ~ " where event_type = 'consent_changed' and user_id is not null)",
            'feedback.signal_weights'
        ) }}
    )
{%- endmacro %}

{% macro create_user_feedback_as_of() -%}
    create or replace macro feedback.user_feedback_as_of(known_before) as table (
        with given as (
            {{ all_feedback_as_of() }}
        ),

        preferences as (
            select * from interaction.user_preferences_as_of(known_before)
        )

        {{ counted_feedback('given', 'preferences') }}
    );
{%- endmacro %}

{% macro all_feedback_as_of() -%}
    {{ user_feedback(
        'interaction.interactions_as_of(known_before)',
        'feedback.signal_weights',
        'feedback.score_rules'
    ) }}
{%- endmacro %}

{% macro create_feedback_scores_as_of() -%}
    create or replace macro feedback.feedback_scores_as_of(known_before) as table (
        {{ feedback_scores('feedback.user_feedback_as_of(known_before)', 'feedback.score_rules') }}
    );
{%- endmacro %}

{#-
    What models are trained on: scores of what was observed. An imputed value is no observation, and
    an outlier, capped or not, is none that can be trusted: neither is believed. What users allow today
    counts for the past, too.
-#}
{% macro create_training_scores_as_of() -%}
    create or replace macro feedback.training_scores_as_of(known_before) as table (
        with given as not materialized (
            {{ all_feedback_as_of() }}
        ),

        observed as not materialized (
            select * replace (case when is_imputed or is_outlier then 0.0 else confidence end as confidence)
            from ({{ counted_feedback('given', 'interaction.user_preferences') }})
        )

        select * from (
            {{ feedback_scores('observed', 'feedback.score_rules') }}
        )
    );
{%- endmacro %}

{#- What users are segmented by: like `category_affinity`, of what was observed. -#}
{% macro create_training_affinities_as_of() -%}
    create or replace macro features.training_affinities_as_of(known_before) as table (
        with shares as (
            {{ category_shares(
                'feedback.training_scores_as_of(known_before)',
                'interaction.items_as_of(known_before)'
            ) }}
        )

        select user_id, category, share as affinity from shares where share > 0
    );
{%- endmacro %}

{% macro create_users_as_of() -%}
    create or replace macro interaction.users_as_of(known_before) as table (
        {{ described_as_of('user_id', 'user_updated') }}

        {{ user_rows('seen', 'described') }}
    );
{%- endmacro %}

{% macro create_items_as_of() -%}
    create or replace macro interaction.items_as_of(known_before) as table (
        {{ described_as_of('item_id', 'item_updated') }}

        {{ item_rows('seen', 'described') }}
    );
{%- endmacro %}

{#- Users or items that were there, and what had been said of them. -#}
{% macro described_as_of(key, event_type) -%}
        with interactions as not materialized (
            select * from interaction.interactions_as_of(known_before) where {{ key }} is not null
        ),

        seen as (
            select
                {{ key }},
                min(occurred_at) as first_seen_at,
                max(occurred_at) as last_seen_at
            from interactions
            group by {{ key }}
        ),

        updates as (
            select {{ key }}, occurred_at, event_id, properties
            from interactions
            where event_type = '{{ event_type }}'
        ),

        described as (
            {{ latest_attributes('updates', key) }}
        )
{%- endmacro %}

{% macro create_user_features_as_of() -%}
    create or replace macro features.user_features_as_of(known_before) as table (
        {{ layers_as_of() }},

        activity as (
            {{ activity('interactions') }}
        ),

        user_preferences as (
            {{ preferences_as_of('interactions') }}
        )

        select * from (
            {{ user_features('activity', 'feedback_scores', 'items', 'user_preferences') }}
        )
    );
{%- endmacro %}

{% macro create_item_features_as_of() -%}
    create or replace macro features.item_features_as_of(known_before) as table (
        {{ layers_as_of() }},

        item_days as (
            {{ item_days('interactions') }}
        ),

        item_opinions as (
            {{ item_opinions('feedback_scores', 'feedback.score_rules') }}
        )

        select * from (
            {{ item_features('item_days', 'item_opinions', 'items') }}
        )
    );
{%- endmacro %}

{% macro create_inferred_ratings_as_of() -%}
    create or replace macro features.inferred_ratings_as_of(known_before) as table (
        {{ inferred_ratings('feedback.feedback_scores_as_of(known_before)', 'feedback.score_rules') }}
    );
{%- endmacro %}

{#- What features are made of; of the items, those that somebody had described. -#}
{% macro layers_as_of() -%}
        with interactions as not materialized (
            select * from interaction.interactions_as_of(known_before)
        ),

        feedback_scores as (
            select * from feedback.feedback_scores_as_of(known_before)
        ),

        updates as (
            select item_id, occurred_at, event_id, properties
            from interactions
            where event_type = 'item_updated' and item_id is not null
        ),

        items as (
            select item_id, {{ categories('attributes') }} as categories
            from ({{ latest_attributes('updates', 'item_id') }})
        )
{%- endmacro %}
