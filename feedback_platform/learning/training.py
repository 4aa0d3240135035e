"""A training run from frames to a measured model; judging and storing it is the caller's part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import polars as pl

from feedback_platform.errors import NothingToLearnError
from feedback_platform.learning.ensemble import ENSEMBLE, Ensemble, Member
from feedback_platform.learning.evaluation import (
    CUTOFF,
    Evaluation,
    MeanDifference,
    difference,
    evaluate,
)
from feedback_platform.learning.fitting import fitted
from feedback_platform.learning.hold_out import HoldOut, Measured
from feedback_platform.learning.policy_evaluation import beside_its_logs, earnings
from feedback_platform.learning.ranker import RankerFit
from feedback_platform.learning.ranker_file import RANKER_FILE
from feedback_platform.learning.ranker_impressions import Examples
from feedback_platform.learning.ranker_training import choose_ranker, lesson_of
from feedback_platform.learning.ranking import Scores
from feedback_platform.learning.recipe import Recipe
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.segment_clustering import KMEANS
from feedback_platform.learning.segment_identity import PreviousSegments
from feedback_platform.learning.segments import Segmentation, segment_users
from feedback_platform.learning.selection import Selection, library, select, undecided
from feedback_platform.learning.sources import (
    DEFAULT_SOURCES,
    Model,
    Source,
    TrainingInput,
    within_reach,
)
from feedback_platform.learning.training_data import TimeSplit

RECOMMENDER: Final = "recommender"
RECOMMENDER_FILE: Final = "recommender.npz"
SEGMENTS: Final = "segments"
SEGMENTS_FILE: Final = "segments.npz"
# Every model that has a champion.
MODELS: Final = (RECOMMENDER, SEGMENTS)
NEXT_SEGMENT_ID: Final = "next_segment_id"


@dataclass(frozen=True, eq=False)
class TrainedRecommender:
    """A model for serving, and how good its twin was that had not seen the hold-out.

    Attributes:
        model: trained on all scores.
        twin: trained in the same way on the part before the cut; what was measured, ranked as it
            would have been served.
        measured: the twin.
        popularity: of the baseline fitted on that part.
        random: of lists in random order, what a model is worth that knows nothing.
        gain: nDCG of the model minus that of popularity.
        selection: how the sources were chosen.
        ranker: how the training of the ranker went, whether it came into use or not; None where
            there was nothing to learn.
        unranked: the twin's lists in the order of its ensemble, beside those of its ranker; None
            where it has none.
        recipe: what was chosen; it makes the same model from the same frames.
        split: how the hold-out was made.
    """

    model: Recommender
    twin: Recommender
    measured: Measured
    popularity: Evaluation
    random: Evaluation
    gain: MeanDifference
    selection: Selection
    ranker: RankerFit | None
    unranked: Evaluation | None
    recipe: Recipe
    split: TimeSplit

    @property
    def evaluation(self) -> Evaluation:
        """Of the twin."""
        return self.measured.evaluation

    @property
    def metrics(self) -> dict[str, float | int | None]:
        """The figures for the registry: the model's own, the baselines', the sources', the gain."""
        k = self.evaluation.k
        ndcg, inner = f"ndcg_at_{k}", f"inner_ndcg_at_{CUTOFF}"
        return {
            **self.evaluation.means(),
            **self.measured.quality.means(k),
            **earnings(self.measured.logged),
            f"popularity_{ndcg}": self.popularity.mean("ndcg"),
            f"random_{ndcg}": self.random.mean("ndcg"),
            f"{ndcg}_gain": self.gain.mean,
            f"{ndcg}_gain_low": self.gain.low,
            f"{ndcg}_gain_high": self.gain.high,
            "evaluated_users": len(self.evaluation.user_ids),
            inner: self.selection.ndcg,
            **{f"{inner}_of_{name}": value for name, value in self.selection.alone.items()},
            **self._of_the_ranker,
        }

    @property
    def _of_the_ranker(self) -> dict[str, float | int | None]:
        how, inner = self.ranker, f"inner_ndcg_at_{CUTOFF}"
        unranked = f"unranked_ndcg_at_{self.evaluation.k}"
        return {
            # Both among the candidates of the same held-out users.
            f"{inner}_of_ranker": how.ndcg[how.parameters] if how else None,
            f"{inner}_without_ranker": how.alone[ENSEMBLE] if how else None,
            "ranker_calibration_error": how.calibration_error if how else None,
            "ranker_rate": how.rate if how else None,
            unranked: self.unranked.mean("ndcg") if self.unranked else None,
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything needed to train the same model from the same frames."""
        cut = self.split.cut
        return {
            **self.recipe.stored,
            "split": self.split.kind,
            "cut": cut.isoformat() if cut else None,
        }

    @property
    def files(self) -> dict[str, bytes]:
        """The files for the registry."""
        ranker = self.model.ranker
        ranked = {} if ranker is None else {RANKER_FILE: ranker.to_bytes()}
        return {RECOMMENDER_FILE: self.model.to_bytes(), **ranked}


@dataclass(frozen=True, eq=False)
class TrainedSegments:
    """Segments and what the registry keeps of them."""

    segmentation: Segmentation
    parameters: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, float | int | None]:
        """The figures for the registry."""
        stability = self.segmentation.stability
        each = [value for value in stability.segments if value is not None] if stability else []
        return {
            "bootstrap_adjusted_rand": stability.adjusted_rand if stability else None,
            "lowest_stability": min(each, default=None),
            "silhouette": self.segmentation.silhouette,
            "prediction_strength": self.segmentation.strengths.get(len(self.segmentation.names)),
            "segments": len(self.segmentation.names),
            "users": len(self.segmentation.labels),
            "continued_segments": len(self.segmentation.continues),
            NEXT_SEGMENT_ID: self.segmentation.model.next_id,
        }

    @property
    def files(self) -> dict[str, bytes]:
        """The files for the registry."""
        return {SEGMENTS_FILE: self.segmentation.model.to_bytes()}


@dataclass(frozen=True)
class _Random:
    item_ids: tuple[str, ...]
    generator: np.random.Generator = field(repr=False)

    def scores(self, user_ids: Sequence[str]) -> Scores:
        return self.generator.random((len(user_ids), len(self.item_ids)), dtype=np.float32)


def train_recommender(
    hold_out: HoldOut,
    data: TrainingInput,
    *,
    seed: int,
    sources: Sequence[Source] = DEFAULT_SOURCES,
    k: int = CUTOFF,
) -> TrainedRecommender:
    """Choose sources within the training part, measure on the hold-out, then train on everything.

    Whatever is chosen, the sources, their weights, whether a ranker orders the lists and with what
    parameters, is chosen on inner splits of the training part; so is the ranker trained that is
    measured. The served model may know everything: its members learn from the hold-out, too, and so
    does its ranker, by the twin's candidates at the cut and what was liked after it.

    Args:
        hold_out: what the model is measured on, with the inner splits to choose by.
        data: all there is as of now, for the model that is served.
        seed: of training and of the intervals.
        sources: the library to choose from; what is out of reach for the size is left out.
        k: length of the lists that are measured.

    Raises:
        InvalidInputError: a frame is malformed, or no source is within reach.
        NothingToLearnError: there is no preference to learn.
    """
    part, split = hold_out.training_part, hold_out.split
    able = within_reach(tuple(sources), *data.preferences.weights.shape)
    selection, recipe, lessons = _chosen(hold_out, able, seed)
    ranker, how = choose_ranker(lessons, recipe.ranked_sources, seed=seed)
    if ranker is not None and how is not None:
        recipe = replace(recipe, ranker=how.parameters)
    twin = recipe.fit_with(part, ranker)
    chance = _Random(twin.item_ids, np.random.default_rng(seed))
    measured = beside_its_logs(hold_out.measure(hold_out.served(twin), k), hold_out, twin)
    popularity = evaluate(twin.popularity, split, k)
    unranked = None
    if ranker is not None:
        unranked = evaluate(twin, split, k)
        with suppress(NothingToLearnError):
            lessons.append(lesson_of(hold_out, twin.ensemble))
    return TrainedRecommender(
        model=recipe.fit(data, lessons),
        twin=twin,
        measured=measured,
        popularity=popularity,
        random=evaluate(chance, split, k),
        gain=difference(measured.evaluation, popularity, "ndcg", seed=seed),
        selection=selection,
        ranker=how,
        unranked=unranked,
        recipe=recipe,
        split=split,
    )


def _chosen(
    hold_out: HoldOut, able: Sequence[Source], seed: int
) -> tuple[Selection, Recipe, list[Examples]]:
    """Choose sources on the newest inner split; make the ranker's lessons on all that are alike.

    On the newest all sources are fitted already; on the others those that were chosen have to be.
    """
    selection, models = undecided(able), dict[str, Model]()
    for part in hold_out.inner_parts[:1]:
        with suppress(NothingToLearnError):
            models = fitted(able, part.training_part, seed)
            selection = select([library(models, part.split)])
    chosen = tuple(
        (source, selection.weights[source.name])
        for source in able
        if source.name in selection.weights
    )
    recipe, parts = Recipe(chosen, seed, hold_out.split.threshold), hold_out.similar_parts
    if not models or parts[:1] != hold_out.inner_parts[:1]:
        return selection, recipe, []
    members = tuple(Member(s.name, s.kind, weight, models[s.name]) for s, weight in chosen)
    lessons = []
    with suppress(NothingToLearnError):
        lessons.append(lesson_of(parts[0], Ensemble(members)))
    return selection, recipe, [*lessons, *recipe.lessons(parts[1:])]


def train_segments(
    affinities: pl.DataFrame,
    *,
    seed: int,
    algorithm: str = KMEANS,
    previous: PreviousSegments | None = None,
    first_free: int = 0,
) -> TrainedSegments:
    """Group users by their affinities; see `segments.segment_users`."""
    found = segment_users(
        affinities, seed=seed, algorithm=algorithm, previous=previous, first_free=first_free
    )
    return TrainedSegments(found, {"seed": seed, "algorithm": found.algorithm})
