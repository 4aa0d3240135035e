"""Models are trained on the published tables, kept in the lake, and copied into schema `ml`.

Training holds no lock: micro-batches go on beside it. Only the copy takes its turn.
"""

import contextlib
from collections.abc import Iterator
from functools import partial

import dagster as dg
import duckdb
import polars as pl

from feedback_platform.adjustment.rules.treatments import treated_items
from feedback_platform.cleaning.configuration import UNKNOWN
from feedback_platform.cleaning.reference import load_references, reference_for
from feedback_platform.cleaning.rules import DEVICE_CATEGORY, rule_table
from feedback_platform.errors import NothingToLearnError
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.experiments.versions import versions_in_experiments
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.inner_splits import choose_inner_cuts
from feedback_platform.learning.learned_tables import (
    TrainingFrames,
    learn_recommender,
    learn_segments,
    learned_tables,
    refresh_recommendations,
)
from feedback_platform.learning.model_health import unusable_champion
from feedback_platform.learning.online.session_feedback import SessionRules
from feedback_platform.learning.online.writing import OnlineSettings
from feedback_platform.learning.sources import DEFAULT_SOURCES, SPARK_SOURCES
from feedback_platform.learning.training import MODELS, RECOMMENDER
from feedback_platform.learning.training_data import choose_cut
from feedback_platform.monitoring.feature_reference import REFERENCE_FILE
from feedback_platform.monitoring.feature_watch import feature_reference
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.champion_choice import ChampionConfig, choose_champion
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.recommender_metadata import recommender_metadata
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.segment_metadata import segment_metadata
from feedback_platform.orchestration.training_gate import refuse_unfit_data
from feedback_platform.warehouse import training_tables
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.published import relation_frame


class TrainingConfig(dg.Config):
    """Why a training run takes place: schedule, drift, initial or manual."""

    trigger: str = "manual"


@dg.asset(
    key=keys.RECOMMENDER,
    deps=[keys.FEEDBACK_SCORES, keys.ITEMS, keys.USERS],
    group_name=keys.LEARN,
    owners=keys.OWNERS,
    kinds={"python"},
    pool=keys.TRAINING_POOL,
    retry_policy=RETRIES,
    description=(
        "An ensemble of candidate sources (EASE over items and over users, implicit ALS, LightFM "
        "with user and item features, popularity), and a ranker over it where that helps; all "
        "chosen within the training part, measured on the newest fifth of the feedback, and "
        "promoted when it beats popularity there and "
        "is not worse than the champion."
    ),
)
def recommender(
    context: dg.AssetExecutionContext, platform: PlatformResource, config: TrainingConfig
) -> dg.MaterializeResult:
    """Train, measure, register, promote or reject."""
    with reported_failures():
        refuse_unfit_data(context.instance)
        learned = learn_recommender(
            platform.lake(),
            training_frames(platform),
            now=platform.now(),
            trigger=config.trigger,
            rules=platform.models_gate(),
            exploration=Exploration(platform.settings.exploration_share),
            sources=SPARK_SOURCES if platform.settings.has_spark_here else DEFAULT_SOURCES,
        )
    return dg.MaterializeResult(metadata=recommender_metadata(learned))


@dg.asset(
    key=keys.SEGMENTATION,
    deps=[keys.USER_FEATURES],
    group_name=keys.LEARN,
    owners=keys.OWNERS,
    kinds={"scikitlearn"},
    pool=keys.TRAINING_POOL,
    retry_policy=RETRIES,
    description=(
        "K-Means or Ward's tree over what categories users like; as many groups as come back in "
        "another half of the users (prediction strength). A group keeps its number as long as most "
        "of its users are the same."
    ),
)
def segments(
    context: dg.AssetExecutionContext, platform: PlatformResource, config: TrainingConfig
) -> dg.MaterializeResult:
    """Group the users and describe the groups."""
    with reported_failures():
        refuse_unfit_data(context.instance)
        with open_publication(platform) as publication:
            affinities = training_tables.affinities(publication)
            user_features = training_tables.user_features(publication)
            through = training_tables.newest_batch(publication)
        try:
            learned = learn_segments(
                platform.lake(),
                affinities,
                user_features,
                now=platform.now(),
                trigger=config.trigger,
                through=through,
                algorithm=platform.settings.segmentation,
            )
        except NothingToLearnError as nothing:
            # Items may have no categories; lists and tables do without segments.
            context.log.warning(f"{nothing} What was learned before stays in use.")
            return dg.MaterializeResult(metadata={"segments": "none", "reason": str(nothing)})
    return dg.MaterializeResult(metadata=segment_metadata(learned))


@dg.asset(
    key=keys.LISTS,
    deps=[keys.RECOMMENDER, keys.FEEDBACK_SCORES],
    group_name=keys.LEARN,
    owners=keys.OWNERS,
    kinds={"python"},
    pool=keys.LISTS_POOL,
    retry_policy=RETRIES,
    description=(
        "Every user's list in the lake, by the champion and with today's feedback; of other "
        "versions that a running experiment names, the files for the API. In the "
        "launchpad a version is promoted first, or the champion before this one is taken back."
    ),
)
def lists(
    context: dg.AssetExecutionContext, platform: PlatformResource, config: ChampionConfig
) -> dg.MaterializeResult:
    """Choose the champion, where it is asked for, and make the lists."""
    lake = platform.lake()
    with reported_failures():
        # A run that is started again for one that died is the same request.
        request = context.run.root_run_id or context.run.run_id
        choose_champion(lake, config, request=request, now=platform.now())
        with open_publication(platform) as publication:
            scores = training_tables.all_scores(publication)
            items = training_tables.items(publication)
            unavailable = training_tables.unavailable_items(publication)
            observed = training_tables.training_scores(publication)
            shown = training_tables.shown_impressions(publication)
            weights = training_tables.signal_weights(publication)
            constants = training_tables.score_rules(publication)
            through = training_tables.newest_batch(publication)
        treated = treated_items(lake, items)
        made = refresh_recommendations(
            lake,
            scores,
            items,
            [*unavailable, *treated.hidden],
            boosted=treated.boosted,
            observed=observed,
            shown=shown,
            exploration=Exploration(platform.settings.exploration_share),
            through=through,
            online=OnlineSettings(
                SessionRules.of(session_cleaning(platform), weights, constants), platform.now()
            ),
            beside=versions_in_experiments(ExperimentLog(lake).refresh(), RECOMMENDER),
        )
    users = made["user_id"].n_unique()
    return dg.MaterializeResult(metadata={"users": users, "places": made.height})


@dg.multi_asset(
    name="learned_tables",
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    specs=[
        dg.AssetSpec(
            key,
            deps=deps,
            group_name=keys.LEARN,
            owners=keys.OWNERS,
            kinds={"duckdb"},
            description=description,
        )
        for key, deps, description in (
            (
                keys.RECOMMENDATIONS,
                [keys.LISTS],
                "Every user's list by the champion, with a reason for each item.",
            ),
            (keys.USER_SEGMENTS, [keys.SEGMENTATION], "The segment of each user."),
            (keys.SEGMENT_PROFILES, [keys.SEGMENTATION], "What each segment is like."),
            (
                keys.MODEL_VERSIONS,
                [keys.RECOMMENDER, keys.SEGMENTATION],
                "Every model version with its figures, and what was decided about it.",
            ),
        )
    ],
)
def learned(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> Iterator[dg.MaterializeResult]:
    """Copy what learning keeps in the lake into the warehouse."""
    lake, path = platform.lake(), platform.settings.warehouse_path
    with reported_failures():
        tables = learned_tables(lake)
        with exclusive_warehouse(path), open_warehouse(path) as connection:
            replace_tables(connection, tables)
        for warning in filter(None, (unusable_champion(lake, name) for name in MODELS)):
            context.log.warning(warning)
    for key in (
        keys.RECOMMENDATIONS,
        keys.USER_SEGMENTS,
        keys.SEGMENT_PROFILES,
        keys.MODEL_VERSIONS,
    ):
        rows = tables[key.path[0], key.path[1]].height
        yield dg.MaterializeResult(asset_key=key, metadata={"dagster/row_count": rows})


def open_publication(
    platform: PlatformResource,
) -> contextlib.AbstractContextManager[duckdb.DuckDBPyConnection]:
    """Connect to what is published now; all data of a training come from it."""
    return training_tables.open_for_training(platform.settings.published_path)


def session_cleaning(platform: PlatformResource) -> pl.DataFrame:
    """Return what cleaning does now to the signals of a device of which nothing is known."""
    reference = reference_for(load_references(platform.lake()), platform.now())
    table = rule_table(platform.rules(), reference)
    return table.filter(pl.col(DEVICE_CATEGORY) == UNKNOWN)


def training_frames(platform: PlatformResource) -> TrainingFrames:
    """Read what a recommender is trained and measured on."""
    with open_publication(platform) as publication:
        times = training_tables.feedback_times(publication)
        cut = choose_cut(times)
        inner_cuts = choose_inner_cuts(times, cut)
        # As many days before the earliest instant of a lesson as before today.
        since = min([cut, *inner_cuts]) - training_tables.SHOWN_FOR
        return TrainingFrames(
            scores=training_tables.training_scores(publication),
            scores_at_cut=training_tables.training_scores(publication, cut),
            cut=cut,
            scores_at_inner_cuts={
                inner: training_tables.training_scores(publication, inner) for inner in inner_cuts
            },
            items=training_tables.items(publication),
            items_at_cut=training_tables.items(publication, cut),
            users=training_tables.users(publication),
            users_at_cut=training_tables.users(publication, cut),
            shown=training_tables.shown_impressions(publication, since=since),
            shown_at_cut=training_tables.shown_impressions(publication, cut, since=since),
            through=training_tables.newest_batch(publication),
            beside=_feature_reference(publication),
        )


def _feature_reference(publication: duckdb.DuckDBPyConnection) -> dict[str, bytes]:
    """Return how features are distributed now: what drift holds those to come against."""
    reference = feature_reference(partial(relation_frame, publication))
    return {} if reference is None else {REFERENCE_FILE: reference.to_bytes()}
