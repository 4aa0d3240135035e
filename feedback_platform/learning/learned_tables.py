"""From published frames to registered models, and from the registry to the tables of schema `ml`.

Everything that learning makes lies in the lake. The tables in the warehouse are a copy of it, so a
warehouse that is built anew gets them back.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.batches import ErasedMeanwhileError, check_nobody_erased_since
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.challenge import challenge
from feedback_platform.learning.champions import ChampionChangedError
from feedback_platform.learning.code_version import code_version
from feedback_platform.learning.columns import PROPENSITY
from feedback_platform.learning.exploration import NO_EXPLORATION, Exploration
from feedback_platform.learning.freezes import standing
from feedback_platform.learning.gate import Decision, held_back
from feedback_platform.learning.gate_rules import GateRules, default_gate_rules
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.inner_splits import inner_splits, sampled
from feedback_platform.learning.model_version import Lineage, ModelVersion
from feedback_platform.learning.online.publication import Write, publish_lists, withdraw_lists
from feedback_platform.learning.online.writing import OnlineSettings
from feedback_platform.learning.recommendations import RECOMMENDATIONS_SCHEMA
from feedback_platform.learning.segment_clustering import KMEANS
from feedback_platform.learning.segment_profiles import (
    ASSIGNMENTS_SCHEMA,
    PROFILES_SCHEMA,
    assignments,
    profiles,
)
from feedback_platform.learning.segment_tables import (
    ASSIGNMENTS_FILE,
    PROFILES_FILE,
    assignment_history,
    first_free_number,
    previous_segments,
    segment_names,
    segment_table,
)
from feedback_platform.learning.sources import DEFAULT_SOURCES, Source, TrainingInput
from feedback_platform.learning.training import (
    MODELS,
    RECOMMENDER,
    SEGMENTS,
    TrainedRecommender,
    TrainedSegments,
    train_recommender,
    train_segments,
)
from feedback_platform.learning.training_data import choose_split
from feedback_platform.learning.version_lists import ListsInput, files_of, lists_of
from feedback_platform.learning.version_table import versions

SEED: Final = 20240229
# With more evaluated users a sample measures: the standard error of its mean nDCG is .002.
MOST_EVALUATED: Final = 20_000


class Training(Protocol):
    """What makes a recommender; see `training.train_recommender`."""

    def __call__(
        self, hold_out: HoldOut, data: TrainingInput, *, seed: int, sources: Sequence[Source]
    ) -> TrainedRecommender:
        """Return a model for serving, and its twin that was measured."""


@dataclass(frozen=True, eq=False)
class TrainingFrames:
    """What a recommender is trained and measured on; see `training_data` for the columns.

    Attributes:
        scores: scores of what was observed, without imputed values and outliers, as of now.
        scores_at_cut: as they were known at the cut.
        cut: the end of the training part (UTC).
        scores_at_inner_cuts: instant within the training part (UTC) → as they were known then; what
            comes after chooses the sources and teaches the ranker.
        items, users: the catalogue, and what is known of users.
        items_at_cut, users_at_cut: what was known of them at the cut.
        shown: impressions (`ranker_lists.LISTS_SCHEMA`) as of now, where they are logged.
        shown_at_cut: as they were known at the cut.
        through: the newest batch in the tables that all of it was read from, where known.
        beside: file name → content of what is kept with the version, and no part of the model.
    """

    scores: pl.DataFrame
    scores_at_cut: pl.DataFrame
    cut: datetime
    scores_at_inner_cuts: Mapping[datetime, pl.DataFrame]
    items: pl.DataFrame
    items_at_cut: pl.DataFrame
    users: pl.DataFrame
    users_at_cut: pl.DataFrame
    shown: pl.DataFrame | None = None
    shown_at_cut: pl.DataFrame | None = None
    through: int | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RegisteredRecommender:
    """A trained recommender, what came of its judgement, and where it is kept."""

    trained: TrainedRecommender
    decision: Decision
    version: ModelVersion


@dataclass(frozen=True, eq=False)
class RegisteredSegments:
    """Trained segments and where they are kept."""

    trained: TrainedSegments
    version: ModelVersion
    profiles: pl.DataFrame


def learn_recommender(
    lake: Lake,
    frames: TrainingFrames,
    *,
    now: datetime,
    trigger: str,
    rules: GateRules | None = None,
    sources: Sequence[Source] = DEFAULT_SOURCES,
    exploration: Exploration = NO_EXPLORATION,
    most_evaluated: int = MOST_EVALUATED,
    train: Training = train_recommender,
) -> RegisteredRecommender:
    """Train, measure, compare with the champion, register, and promote or reject.

    Args:
        lake: where models are kept.
        frames: what to learn from.
        now: when (UTC).
        trigger: why.
        rules: of the gate; those that ship when left out.
        sources: the candidate sources to choose from.
        exploration: of the lists that the model would make.
        most_evaluated: on how many users of the hold-out models are measured at most.
        train: makes the model; the gate judges whatever it makes.

    Raises:
        NothingToLearnError: there is not enough feedback on both sides of the cut.
        ErasedMeanwhileError: users were erased since the frames were read.
    """
    everybody = choose_split(frames.scores_at_cut, frames.scores, frames.cut)
    split = sampled(everybody, most_evaluated)
    hold_out = HoldOut(
        split,
        frames.items_at_cut,
        frames.users_at_cut,
        inner=tuple(inner_splits(split, frames.scores_at_inner_cuts)),
        # Where each user has a cut of their own, some of those lie behind the cut for all.
        shown=frames.shown if split.cut is None else frames.shown_at_cut,
        logged=frames.shown,
        exploration=exploration,
    )
    trained = train(
        hold_out,
        TrainingInput(frames.scores, frames.items, frames.users, split.threshold),
        seed=SEED,
        sources=sources,
    )
    decision, champion, current = _judged(lake, trained, hold_out, rules or default_gate_rules())
    frozen = standing(lake, RECOMMENDER, now)
    # Without a champion there is nothing that a freeze could keep.
    if frozen is not None and champion is not None:
        decision = held_back(decision, "freeze", str(frozen))
    version = _registered(
        lake,
        RECOMMENDER,
        files={**frames.beside, **trained.files},
        trained_at=now,
        trigger=trigger,
        metrics=trained.metrics,
        parameters=trained.parameters,
        lineage=Lineage(
            data_cut=frames.scores["last_feedback_at"].max(),  # type: ignore[arg-type]
            data_through=frames.through,
            code_version=code_version(),
            compared_with=champion.version if champion else None,
        ),
        decision=asdict(decision),
    )
    decision = _carried_out(lake, version, decision, instead_of=current)
    return RegisteredRecommender(trained, decision, version)


def _carried_out(
    lake: Lake, version: ModelVersion, decision: Decision, *, instead_of: str
) -> Decision:
    """Promote or reject, as was decided about the champion, and return what came of it.

    Whoever was to take another champion's place than the one that there is now is rejected.
    """
    name, version_id, at = version.model, version.version, version.trained_at
    if decision.is_promoted:
        try:
            champions.promote(
                lake, name, version_id, at=at, reason=decision.reason, instead_of=instead_of
            )
        except ChampionChangedError as error:
            why = f"{error} This version was not compared with it; the next one will be."
            decision = held_back(decision, "meanwhile", why)
    if not decision.is_promoted:
        champions.reject(lake, name, version_id, at=at, reason=decision.reason)
    return decision


def _judged(
    lake: Lake, trained: TrainedRecommender, hold_out: HoldOut, rules: GateRules
) -> tuple[Decision, ModelVersion | None, str]:
    """Return the gate's decision, the version in use that it is about, and the champion's id."""
    while True:
        promotions = champions.history(lake, RECOMMENDER)
        champion = champions.in_use(lake, RECOMMENDER).version
        decision = challenge(
            lake,
            trained,
            hold_out,
            champion,
            segments=segment_names(lake),
            rules=rules,
            seed=SEED,
        )
        # Comparing takes time. Who was rolled back meanwhile must not be the measure.
        if champions.history(lake, RECOMMENDER) == promotions:
            return decision, champion, promotions[-1].version if promotions else ""


def learn_segments(
    lake: Lake,
    affinities: pl.DataFrame,
    user_features: pl.DataFrame,
    *,
    now: datetime,
    trigger: str,
    through: int | None = None,
    algorithm: str = KMEANS,
    seed: int = SEED,
) -> RegisteredSegments:
    """Group the users, register the groups, and put them into use in place of the previous ones.

    Args:
        lake: where the segments are kept.
        affinities: user_id, category, affinity.
        user_features: user_id and numeric features, for the profiles.
        now: when (UTC).
        trigger: why.
        through: the newest batch in the tables that all of it was read from, where known.
        algorithm: see `segments.segment_users`.
        seed: of the grouping.

    Raises:
        NothingToLearnError: too few users have shown a preference.
        ErasedMeanwhileError: users were erased since the frames were read.
    """
    trained = train_segments(
        affinities,
        seed=seed,
        algorithm=algorithm,
        previous=previous_segments(lake),
        first_free=first_free_number(lake),
    )
    described = profiles(trained.segmentation, "", user_features)
    files = {
        **trained.files,
        ASSIGNMENTS_FILE: _to_parquet(assignments(trained.segmentation, "")),
        PROFILES_FILE: _to_parquet(described),
    }
    version = _registered(
        lake,
        SEGMENTS,
        files=files,
        trained_at=now,
        trigger=trigger,
        metrics=trained.metrics,
        parameters=trained.parameters,
        lineage=Lineage(data_through=through, code_version=code_version()),
    )
    names = ", ".join(trained.segmentation.names)
    champions.promote(lake, SEGMENTS, version.version, at=now, reason=f"Segments: {names}")
    return RegisteredSegments(trained, version, described)


def _registered(lake: Lake, name: str, *, lineage: Lineage, **facts: Any) -> ModelVersion:
    """Register a version, unless users were erased since its data were read."""
    check_nobody_erased_since(lake, lineage.data_through)
    version = registry.register(lake, name, lineage=lineage, **facts)
    try:
        # Whoever is erased from here on is erased from this version, too: it can be listed.
        check_nobody_erased_since(lake, lineage.data_through)
    except ErasedMeanwhileError:
        registry.withdraw(lake, version)
        raise
    return version


def refresh_recommendations(
    lake: Lake,
    scores: pl.DataFrame,
    items: pl.DataFrame,
    unavailable: Collection[str] = (),
    *,
    boosted: Collection[str] = (),
    observed: pl.DataFrame | None = None,
    shown: pl.DataFrame | None = None,
    exploration: Exploration = NO_EXPLORATION,
    through: int | None = None,
    online: OnlineSettings | None = None,
    beside: Collection[str] = (),
) -> pl.DataFrame:
    """Make every user's list with the model in use and today's feedback, and keep it in the lake.

    Without a champion that can be used the lists are empty.

    Args:
        lake: where the lists are kept.
        scores: of all feedback as of now; nobody is shown again what they know.
        items: the catalogue.
        unavailable: items that nobody is shown.
        boosted: items that come earlier in everybody's list; see `boosting`.
        observed: scores as training has them, for the ranker; all of them when left out.
        shown: impressions as of now, for the ranker, where they are logged.
        exploration: how often two items of a list change places.
        through: the newest batch in the tables that all of it was read from, where known.
        online: what the file needs from which requests are answered; none is written without it.
        beside: further versions, of which a file is written as well.

    Raises:
        ErasedMeanwhileError: users were erased since the tables were published.
    """
    champion = champions.in_use(lake, RECOMMENDER).version
    given = ListsInput(scores, items, unavailable, boosted, observed, shown, exploration, online)
    write: Write | None = None
    others: Mapping[str, Write] = {}
    if champion is None:
        lists = pl.DataFrame(schema=RECOMMENDATIONS_SCHEMA)
    else:
        lists, write = lists_of(lake, champion, given)
        if online is not None:
            wanted = sorted({*beside} - {champion.version})
            others = files_of(lake, wanted, given)
    check_nobody_erased_since(lake, through)
    lake.put(keys.recommendations(), _to_parquet(lists), mode="overwrite")
    if online is not None:
        _publish_online(lake, write, online.made_at, others)
    try:
        check_nobody_erased_since(lake, through)
    except ErasedMeanwhileError:
        lake.delete([keys.recommendations()])
        withdraw_lists(lake)
        raise
    return lists


def _publish_online(
    lake: Lake, write: Write | None, made_at: datetime, others: Mapping[str, Write]
) -> None:
    """Publish the files of the lists; without lists there is none."""
    if write is None:
        withdraw_lists(lake)
    else:
        publish_lists(lake, write, made_at, others)


def learned_tables(lake: Lake) -> Mapping[tuple[str, str], pl.DataFrame]:
    """Return the tables of schema `ml` as the lake has them, by (schema, table)."""
    segments = champions.in_use(lake, SEGMENTS).version
    recommendations = lake.find(keys.recommendations())
    return {
        ("ml", "model_versions"): pl.concat([versions(lake, name) for name in MODELS]),
        ("ml", "recommendations"): _lists(recommendations),
        ("ml", "user_segments"): segment_table(
            lake, segments, ASSIGNMENTS_FILE, ASSIGNMENTS_SCHEMA
        ),
        ("ml", "segment_profiles"): segment_table(lake, segments, PROFILES_FILE, PROFILES_SCHEMA),
        ("ml", "segment_assignments"): assignment_history(lake),
    }


def _lists(stored: bytes | None) -> pl.DataFrame:
    if stored is None:
        return pl.DataFrame(schema=RECOMMENDATIONS_SCHEMA)
    lists = pl.read_parquet(io.BytesIO(stored))
    # An earlier release explored nothing: whatever it listed was certain.
    certain = [] if PROPENSITY in lists.columns else [pl.lit(1.0).alias(PROPENSITY)]
    return lists.with_columns(certain).select(*RECOMMENDATIONS_SCHEMA)


def _to_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
