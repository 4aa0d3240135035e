"""The challenger and the champion on the same hold-out, as fair as can be.

A champion that was trained before the hold-out began has not seen it: its stored files are scored,
as they are served. Any other champion has seen some of it, and would win by knowing the answers;
nor can it be told how good it is on what it has not seen. Then its recipe is compared instead:
its parameters, fitted on the training part that the challenger was fitted on. So two recipes meet
on equal terms. A retraining by the champion's own recipe differs in nothing but newer data, and is
as good as the champion by definition; popularity alone can refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import polars as pl

from feedback_platform.errors import PermanentError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.evaluation import Evaluation, evaluate
from feedback_platform.learning.factorisation import Factorisation, FactorisationParameters
from feedback_platform.learning.gate import Decision, Measured, Opponent, decide
from feedback_platform.learning.gate_rules import GateRules
from feedback_platform.learning.model_version import ModelVersion
from feedback_platform.learning.ranking import Scorer, Scores, pair_matrix, rank_users
from feedback_platform.learning.training import (
    FACTORISATION_FILE,
    TrainedFactorisation,
    fit_twin,
)
from feedback_platform.learning.training_data import TimeSplit

SAME_RECIPE: Final = "by the same recipe, on the same training part"
OTHER_RECIPE: Final = "its recipe, fitted on the same training part"
AS_SERVED: Final = "as it is served; it was trained before the hold-out began"


@dataclass(frozen=True, eq=False)
class HoldOut:
    """What a challenger was measured on, and what was known at the cut.

    Attributes:
        split: training part and hold-out.
        items_at_cut: the items.
        users_at_cut: the users.
    """

    split: TimeSplit
    items_at_cut: pl.DataFrame
    users_at_cut: pl.DataFrame


@dataclass(frozen=True, eq=False)
class _WithCatalogue:
    """A model that ranks another catalogue than it was made with."""

    model: Factorisation
    item_ids: tuple[str, ...]

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the model's scores; an item that it does not know comes after all others."""
        rows = np.array([self.model.item_rows.get(item, -1) for item in self.item_ids])
        lowest = np.finfo(np.float32).min
        scores: Scores = np.where(rows >= 0, self.model.scores(user_ids)[:, rows], lowest)
        return scores


def challenge(
    lake: Lake,
    trained: TrainedFactorisation,
    hold_out: HoldOut,
    champion: ModelVersion | None,
    *,
    segments: Mapping[str, str],
    rules: GateRules,
    seed: int,
) -> Decision:
    """Return the gate's decision on a trained model.

    Args:
        lake: where the champion's files lie.
        trained: the challenger.
        hold_out: what it was measured on.
        champion: the version in use, or None.
        segments: user → the name of the user's segment.
        rules: of the gate.
        seed: of the bootstrap.
    """
    challenger = _measured(trained.twin, trained.evaluation, trained, hold_out.split)
    opponent = None
    if champion is not None:
        opponent = _opponent(lake, champion, challenger, trained, hold_out)
    return decide(
        challenger, trained.popularity, opponent, segments=segments, rules=rules, seed=seed
    )


def _opponent(
    lake: Lake,
    champion: ModelVersion,
    challenger: Measured,
    trained: TrainedFactorisation,
    hold_out: HoldOut,
) -> Opponent:
    split = hold_out.split
    if split.cut is not None and champion.known_until <= split.cut:
        content = registry.read_file(lake, champion, FACTORISATION_FILE)
        served = _WithCatalogue(Factorisation.from_bytes(content), trained.twin.item_ids)
        return _scored(champion, AS_SERVED, served, trained, split)
    try:
        recipe = _Recipe.of(champion.parameters)
    except (PermanentError, KeyError, TypeError, ValueError) as error:
        basis = (
            f"it has seen the hold-out, and its parameters mean nothing to this release ({error})"
        )
        return Opponent(champion.version, basis, None)
    if recipe == _Recipe.of(trained.parameters):
        # Equal parameters, seed and data make an equal model; it need not be fitted again.
        return Opponent(champion.version, SAME_RECIPE, challenger)
    refitted = fit_twin(
        split,
        hold_out.items_at_cut,
        hold_out.users_at_cut,
        parameters=recipe.parameters,
        seed=recipe.seed,
        threshold=recipe.threshold,
    )
    return _scored(champion, OTHER_RECIPE, refitted, trained, split)


@dataclass(frozen=True)
class _Recipe:
    """What makes one model out of given data."""

    parameters: FactorisationParameters
    seed: int
    threshold: float

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> _Recipe:
        known = {field.name: stored[field.name] for field in fields(FactorisationParameters)}
        return cls(
            FactorisationParameters(**known), int(stored["seed"]), float(stored["threshold"])
        )


def _scored(
    champion: ModelVersion,
    basis: str,
    scorer: Scorer,
    trained: TrainedFactorisation,
    split: TimeSplit,
) -> Opponent:
    evaluation = evaluate(scorer, split, trained.evaluation.k)
    return Opponent(champion.version, basis, _measured(scorer, evaluation, trained, split))


def _measured(
    scorer: Scorer, evaluation: Evaluation, trained: TrainedFactorisation, split: TimeSplit
) -> Measured:
    """Add to an evaluation how popular is what the model lists (Yin et al., 2012).

    A like counts by the confidence in it, as everywhere.
    """
    users = split.evaluated_users()
    seen = pair_matrix(split.train, users, scorer.item_ids)
    ranked = rank_users(scorer, users, seen, evaluation.k)
    likes = trained.twin.item_popularity
    listed = ranked[ranked >= 0]
    return Measured(evaluation, float(likes[listed].mean()) if len(listed) else 0.0)
