-- What exists before dbt runs: the pipeline's state and what Python loads. All times are UTC.

create schema if not exists pipeline;
create schema if not exists lake;
create schema if not exists ml;
create schema if not exists metrics;

create table if not exists pipeline.state (
    staged_through bigint not null,    -- the newest batch that a run has begun to take in
    completed_through bigint not null, -- the newest batch that has reached every table
    published_through bigint not null, -- the newest batch that readers can see
    basis varchar not null             -- the lake and the definitions that the tables come from
);
insert into pipeline.state select 0, 0, 0, '' where not exists (from pipeline.state);

-- Always empty: triggers write here what breaks a key, and the error undoes the statement.
create table if not exists pipeline.refusals (message varchar);

-- What feedback_scores lost and gained about each item, and item_opinions has not added up yet.
create table if not exists pipeline.opinion_changes (
    item_id varchar not null,
    users bigint not null,
    fans bigint not null,
    score_total decimal(38, 12) not null,
    confidence_total decimal(38, 12) not null
);

-- Rows that an earlier release cleaned have no platform_category, bots, treatment and rules_version.
create table if not exists lake.clean_events (
    event_id varchar not null,
    event_type varchar not null,
    user_id varchar,
    anonymous_id varchar,
    session_id varchar,
    item_id varchar,
    occurred_at timestamp not null,
    sent_at timestamp,
    received_at timestamp not null,
    value double,
    recommendation_id varchar,
    position bigint,
    propensity double,
    placement varchar,
    experiment_id varchar,
    variant varchar,
    device_type varchar,
    platform varchar,
    country varchar,
    app_version varchar,
    properties varchar,
    raw_object varchar not null,
    raw_row bigint not null,
    clock_offset_seconds double,
    device_category varchar not null,
    platform_category varchar,
    bot_rule varchar,
    signal varchar,
    imputation_rule varchar,
    outlier_rule varchar,
    outlier_treatment varchar,
    normalisation_rule varchar,
    is_imputed boolean not null,
    is_outlier boolean not null,
    is_bot boolean not null default false,
    cleaned_value double,
    outlier_bound double,
    normalised_value double,
    reference_version varchar not null,
    rules_version varchar,
    batch_sequence bigint not null
);

create table if not exists lake.quarantined_events (
    raw_object varchar not null,
    raw_row bigint not null,
    received_at timestamp not null,
    source varchar not null,
    reason varchar not null,
    field varchar,
    raw blob not null,
    batch_sequence bigint not null
);

-- Raw objects that the staged batches reprocessed: what was stored from them is replaced.
create table if not exists lake.replaced_objects (raw_object varchar not null);

-- Events that were stored from those, and that no raw object holds any more.
create table if not exists lake.withdrawn_events (event_id varchar not null);

create table if not exists ml.segment_assignments (
    model_version varchar not null,
    effective_from timestamp not null,
    user_id varchar not null,
    segment_id bigint not null,
    primary key (model_version, user_id)
);

create table if not exists ml.user_segments (
    user_id varchar primary key,
    segment_id bigint not null,
    algorithm varchar not null,
    distance double not null,
    model_version varchar not null
);

create table if not exists ml.segment_profiles (
    segment_id bigint primary key,
    name varchar not null,
    users bigint not null,
    top_preferences struct(category varchar, share double, lift double)[] not null,
    features struct(feature varchar, mean double)[] not null,
    algorithm varchar not null,
    model_version varchar not null,
    silhouette double,
    stability double
);

create table if not exists ml.recommendations (
    user_id varchar not null,
    rank bigint not null,
    item_id varchar not null,
    score double not null,
    model_version varchar not null,
    reason varchar not null,
    propensity double not null,
    primary key (user_id, rank)
);

create table if not exists ml.model_versions (
    model varchar not null,
    version varchar primary key,
    trained_at timestamp not null,
    trigger varchar not null,
    metrics json not null,
    status varchar not null,
    reason varchar not null,
    promoted_at timestamp,
    data_cut timestamp,
    data_through bigint,
    code_version varchar,
    compared_with varchar,
    parameters json,
    decision json
);

create table if not exists metrics.drift_events (
    event_id varchar primary key,
    stream varchar not null,
    method varchar not null,
    detected_at timestamp not null,
    width bigint not null,
    before_mean double not null,
    after_mean double not null,
    action varchar not null
);

create table if not exists metrics.adjustments (
    adjustment_id varchar primary key,
    rule varchar not null,
    scope varchar not null,
    evidence json not null,
    action varchar not null,
    flag varchar not null,
    before varchar not null,
    after varchar not null,
    status varchar not null,
    reason varchar not null,
    "at" timestamp not null,
    undone_at timestamp
);

create table if not exists metrics.experiments (
    experiment_id varchar primary key,
    hypothesis varchar not null,
    lever varchar not null,
    subject varchar not null,
    status varchar not null,
    started_at timestamp not null,
    ends_at timestamp not null,
    stopped_at timestamp,
    decision varchar not null,
    reason varchar not null,
    winner varchar,
    shipped varchar,
    control varchar not null,
    variants json not null,
    is_sequential boolean not null,
    alpha double not null,
    users bigint,
    mixed_users bigint,
    unknown_users bigint,
    opted_out_users bigint,
    sample_ratio_p_value double,
    read_at timestamp,
    started_by varchar not null,
    stopped_by varchar
);

create table if not exists metrics.experiment_results (
    experiment_id varchar not null,
    metric varchar not null,
    variant varchar not null,
    kind varchar not null,
    n bigint not null,
    control double,
    mean double,
    effect double,
    low double,
    high double,
    p_value double,
    sequential_low double,
    sequential_high double,
    sequential_p_value double,
    relative_effect double,
    relative_low double,
    relative_high double,
    sample_ratio_p_value double not null,
    decision varchar not null,
    reason varchar not null,
    read_at timestamp not null,
    primary key (experiment_id, metric, variant)
);

-- The results as they were found day by day: what somebody saw who looked every day.
create table if not exists metrics.experiment_looks (
    experiment_id varchar not null,
    metric varchar not null,
    variant varchar not null,
    kind varchar not null,
    n bigint not null,
    control double,
    mean double,
    effect double,
    low double,
    high double,
    p_value double,
    sequential_low double,
    sequential_high double,
    sequential_p_value double,
    relative_effect double,
    relative_low double,
    relative_high double,
    sample_ratio_p_value double not null,
    decision varchar not null,
    reason varchar not null,
    read_at timestamp not null
);
