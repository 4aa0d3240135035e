"""The challenger and the champion on the same hold-out, as fair as can be.

A champion that was trained before the hold-out began has not seen it: its stored files are scored,
as they are served. Any other champion has seen some of it, and would win by knowing the answers;
nor can it be told how good it is on what it has not seen. Then its recipe is compared instead:
its sources and weights, fitted on the training part that the challenger was fitted on, and its
ranker, trained on the inner splits that the challenger's was trained on. So two recipes meet on
equal terms. A retraining by the champion's own recipe differs in nothing but newer data, and is as
good as the champion by definition; popularity alone can refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning.gate import Decision, Opponent, decide
from feedback_platform.learning.gate_rules import GateRules
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.model_version import ModelVersion
from feedback_platform.learning.policy_evaluation import beside_its_logs
from feedback_platform.learning.ranking import Scorer, Scores
from feedback_platform.learning.recipe import Recipe
from feedback_platform.learning.stored_recommender import read_recommender
from feedback_platform.learning.training import TrainedRecommender
from feedback_platform.spark_session import SparkUnavailableError

SAME_RECIPE: Final = "by the same recipe, on the same training part"
OTHER_RECIPE: Final = "its recipe, fitted on the same training part"
AS_SERVED: Final = "as it is served; it was trained before the hold-out began"


@dataclass(frozen=True, eq=False)
class _WithCatalogue:
    """A model that ranks another catalogue than it was made with."""

    model: Scorer
    item_ids: tuple[str, ...]

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the model's scores; an item that it does not know comes after all others."""
        places = {item_id: row for row, item_id in enumerate(self.model.item_ids)}
        rows = np.array([places.get(item_id, -1) for item_id in self.item_ids])
        lowest = np.finfo(np.float32).min
        scores: Scores = np.where(rows >= 0, self.model.scores(user_ids)[:, rows], lowest)
        return scores


def challenge(
    lake: Lake,
    trained: TrainedRecommender,
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
    opponent = None if champion is None else _opponent(lake, champion, trained, hold_out)
    return decide(
        trained.measured, trained.popularity, opponent, segments=segments, rules=rules, seed=seed
    )


def _opponent(
    lake: Lake, champion: ModelVersion, trained: TrainedRecommender, hold_out: HoldOut
) -> Opponent:
    k, cut = trained.evaluation.k, hold_out.split.cut
    if cut is not None and champion.known_until <= cut:
        model = read_recommender(lake, champion)
        served = _WithCatalogue(hold_out.served(model), trained.twin.item_ids)
        measured = beside_its_logs(hold_out.measure(served, k), hold_out, model)
        return Opponent(champion.version, AS_SERVED, measured)
    try:
        recipe = Recipe.of(champion.parameters)
        if recipe == trained.recipe:
            # Equal sources, seed and data make an equal model; it need not be fitted again.
            return Opponent(champion.version, SAME_RECIPE, trained.measured)
        refitted = recipe.within_reach(hold_out.training_part).fit_twin(hold_out)
    except InvalidInputError as error:
        basis = (
            f"it has seen the hold-out, and its parameters mean nothing to this release ({error})"
        )
        return Opponent(champion.version, basis, None)
    except SparkUnavailableError as error:
        basis = f"it has seen the hold-out, and its recipe cannot be fitted here ({error})"
        return Opponent(champion.version, basis, None)
    measured = hold_out.measure(hold_out.served(refitted), k)
    return Opponent(champion.version, OTHER_RECIPE, beside_its_logs(measured, hold_out, refitted))
