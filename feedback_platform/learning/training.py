"""A training run from frames to a measured model; judging and storing it is the caller's part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from feedback_platform.learning.columns import ITEM_ID
from feedback_platform.learning.evaluation import (
    CUTOFF,
    Evaluation,
    MeanDifference,
    difference,
    evaluate,
)
from feedback_platform.learning.factorisation import (
    Factorisation,
    FactorisationParameters,
    fit_factorisation,
)
from feedback_platform.learning.popularity import fit_popularity
from feedback_platform.learning.ranking import Scores
from feedback_platform.learning.segment_clustering import KMEANS
from feedback_platform.learning.segment_identity import PreviousSegments
from feedback_platform.learning.segments import Segmentation, segment_users
from feedback_platform.learning.training_data import TimeSplit

FACTORISATION: Final = "factorisation"
FACTORISATION_FILE: Final = "factorisation.npz"
SEGMENTS: Final = "segments"
SEGMENTS_FILE: Final = "segments.npz"
# Every model that has a champion.
MODELS: Final = (FACTORISATION, SEGMENTS)
NEXT_SEGMENT_ID: Final = "next_segment_id"


@dataclass(frozen=True, eq=False)
class TrainedFactorisation:
    """A model for serving, and how good its twin was that had not seen the hold-out.

    Attributes:
        model: trained on all scores.
        twin: trained in the same way on the part before the cut; what was measured.
        evaluation: of the twin.
        popularity: of the baseline fitted on that part.
        random: of lists in random order, what a model is worth that knows nothing.
        gain: nDCG of the model minus that of popularity.
        parameters: everything needed to train the same model from the same frames.
    """

    model: Factorisation
    twin: Factorisation
    evaluation: Evaluation
    popularity: Evaluation
    random: Evaluation
    gain: MeanDifference
    parameters: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, float | int]:
        """The figures for the registry: the model's own, the baselines' and the gain."""
        ndcg = f"ndcg_at_{self.evaluation.k}"
        return {
            **self.evaluation.means(),
            f"popularity_{ndcg}": self.popularity.mean("ndcg"),
            f"random_{ndcg}": self.random.mean("ndcg"),
            f"{ndcg}_gain": self.gain.mean,
            f"{ndcg}_gain_low": self.gain.low,
            f"{ndcg}_gain_high": self.gain.high,
            "evaluated_users": len(self.evaluation.user_ids),
        }

    @property
    def files(self) -> dict[str, bytes]:
        """The files for the registry."""
        return {FACTORISATION_FILE: self.model.to_bytes()}


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


def train_factorisation(
    split: TimeSplit,
    scores: pl.DataFrame,
    items: pl.DataFrame,
    users: pl.DataFrame,
    *,
    items_at_cut: pl.DataFrame,
    users_at_cut: pl.DataFrame,
    seed: int,
    parameters: FactorisationParameters | None = None,
    k: int = CUTOFF,
) -> TrainedFactorisation:
    """Measure on the hold-out, then train on everything.

    For the measurement the catalogue is what had feedback before the cut: nobody could have
    listed the other items then. Relevant items outside it count against every model alike. Of
    items and users it knows what was known at the cut, of a per-user split at the global one.

    Args:
        split: the hold-out.
        scores: all scores as of now, for the model that is served.
        items: the catalogue as of now, for the model that is served.
        users: what is known of users now.
        items_at_cut: what was known of the items at the cut.
        users_at_cut: what was known of the users at the cut.
        seed: of training and of the intervals.
        parameters: how to train; the defaults when left out.
        k: length of the lists that are measured.

    Raises:
        InvalidInputError: a frame is malformed.
        NothingToLearnError: there is no preference to learn.
    """
    chosen = parameters or FactorisationParameters()
    twin = fit_twin(
        split, items_at_cut, users_at_cut, parameters=chosen, seed=seed, threshold=split.threshold
    )
    baseline = fit_popularity(split.train, item_ids=twin.item_ids, threshold=split.threshold)
    evaluation, popularity = evaluate(twin, split, k), evaluate(baseline, split, k)
    chance = _Random(twin.item_ids, np.random.default_rng(seed))
    return TrainedFactorisation(
        model=fit_factorisation(
            scores, items, users, parameters=chosen, seed=seed, threshold=split.threshold
        ),
        twin=twin,
        evaluation=evaluation,
        popularity=popularity,
        random=evaluate(chance, split, k),
        gain=difference(evaluation, popularity, "ndcg", seed=seed),
        parameters={
            **asdict(chosen),
            "seed": seed,
            "threshold": split.threshold,
            "split": split.kind,
            "cut": split.cut.isoformat() if split.cut else None,
        },
    )


def fit_twin(
    split: TimeSplit,
    items_at_cut: pl.DataFrame,
    users_at_cut: pl.DataFrame,
    *,
    parameters: FactorisationParameters,
    seed: int,
    threshold: float,
) -> Factorisation:
    """Train on the part before the cut alone, with its items only; what can be measured fairly.

    Args:
        split: the hold-out.
        items_at_cut: what was known of the items at the cut.
        users_at_cut: what was known of the users at the cut.
        parameters: how to train.
        seed: of training.
        threshold: a score from here on is positive.
    """
    known_items = items_at_cut.join(split.train, on=ITEM_ID, how="semi")
    return fit_factorisation(
        split.train,
        known_items,
        users_at_cut,
        parameters=parameters,
        seed=seed,
        threshold=threshold,
    )


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
