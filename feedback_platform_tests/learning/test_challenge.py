from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.challenge import (
    AS_SERVED,
    OTHER_RECIPE,
    SAME_RECIPE,
    HoldOut,
    challenge,
)
from feedback_platform.learning.evaluation import evaluate
from feedback_platform.learning.factorisation import Factorisation, FactorisationParameters
from feedback_platform.learning.gate import Decision, Finding
from feedback_platform.learning.gate_rules import default_gate_rules
from feedback_platform.learning.model_version import ModelVersion
from feedback_platform.learning.training import (
    FACTORISATION,
    FACTORISATION_FILE,
    TrainedFactorisation,
    fit_twin,
    train_factorisation,
)
from feedback_platform.learning.training_data import choose_cut, split_at, split_per_user
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, two_tastes

SCORES = two_tastes(users=200)
CUT = choose_cut(SCORES["last_feedback_at"])
SPLIT = split_at(SCORES.filter(pl.col("last_feedback_at") <= CUT), SCORES, CUT)
HOLD_OUT = HoldOut(SPLIT, NO_ITEMS, NO_USERS)
GOOD = FactorisationParameters(components=4, epochs=10)
BEFORE, AFTER = CUT - timedelta(days=1), CUT + timedelta(days=30)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def train(parameters: FactorisationParameters = GOOD, **changes: Any) -> TrainedFactorisation:
    return train_factorisation(
        changes.get("split", SPLIT),
        SCORES,
        NO_ITEMS,
        NO_USERS,
        items_at_cut=NO_ITEMS,
        users_at_cut=NO_USERS,
        seed=1,
        parameters=parameters,
    )


@pytest.fixture(scope="module")
def good() -> TrainedFactorisation:
    return train()


def champion_of(
    lake: Lake,
    trained_at: datetime,
    parameters: Mapping[str, Any],
    model: Factorisation,
) -> ModelVersion:
    return registry.register(
        lake,
        FACTORISATION,
        files={FACTORISATION_FILE: model.to_bytes()},
        trained_at=trained_at,
        trigger="manual",
        metrics={},
        parameters=parameters,
    )


def judged(
    lake: Lake,
    trained: TrainedFactorisation,
    champion: ModelVersion | None,
    hold_out: HoldOut = HOLD_OUT,
) -> Decision:
    rules = default_gate_rules()
    return challenge(lake, trained, hold_out, champion, segments={}, rules=rules, seed=1)


def against_champion(decision: Decision) -> Finding:
    (found,) = [known for known in decision.findings if known.name == "champion"]
    return found


def shuffled(model: Factorisation) -> Factorisation:
    """The same model with its items' names mixed up."""
    names = np.random.default_rng(1).permutation(model.item_ids)
    return replace(model, item_ids=tuple(str(name) for name in names))


def test_without_a_champion_popularity_is_the_measure(
    lake: Lake, good: TrainedFactorisation
) -> None:
    decision = judged(lake, good, None)

    assert decision.is_promoted
    assert [found.name for found in decision.findings] == ["popularity"]


def test_the_champions_own_recipe_is_as_good_as_the_champion(
    lake: Lake, good: TrainedFactorisation
) -> None:
    champion = champion_of(lake, AFTER, good.parameters, good.model)

    decision = judged(lake, good, champion)

    found = against_champion(decision)
    assert decision.is_promoted
    assert SAME_RECIPE in found.text
    assert (found.figures["low"], found.figures["high"]) == (0, 0)


def test_a_model_of_a_tiny_dimension_is_refused(lake: Lake, good: TrainedFactorisation) -> None:
    champion = champion_of(lake, AFTER, good.parameters, good.model)
    tiny = train(FactorisationParameters(components=1, epochs=1))

    decision = judged(lake, tiny, champion)

    found = against_champion(decision)
    assert not decision.is_promoted
    assert not found.passed
    assert OTHER_RECIPE in found.text
    assert found.figures["champion"] == pytest.approx(good.evaluation.mean("ndcg"))
    assert found.figures["high"] < 0


def test_a_model_trained_on_shuffled_items_is_refused(
    lake: Lake, good: TrainedFactorisation
) -> None:
    champion = champion_of(lake, AFTER, {**good.parameters, "seed": 2}, good.model)
    mixed = SPLIT.train.with_columns(pl.col("item_id").shuffle(seed=1)).unique(
        ["user_id", "item_id"], maintain_order=True
    )
    twin = fit_twin(
        replace(SPLIT, train=mixed), NO_ITEMS, NO_USERS, parameters=GOOD, seed=1, threshold=0.5
    )
    bad = replace(good, twin=twin, evaluation=evaluate(twin, SPLIT))

    decision = judged(lake, bad, champion)

    assert not decision.is_promoted
    assert not against_champion(decision).passed


def test_a_better_recipe_takes_over_from_a_tiny_one(lake: Lake, good: TrainedFactorisation) -> None:
    tiny = {**good.parameters, **asdict(FactorisationParameters(components=1, epochs=1))}
    champion = champion_of(lake, AFTER, tiny, good.model)

    decision = judged(lake, good, champion)

    assert decision.is_promoted
    assert against_champion(decision).figures["low"] > 0


def test_a_champion_from_before_the_hold_out_is_measured_as_it_is_served(
    lake: Lake, good: TrainedFactorisation
) -> None:
    # The parameters are the best there are; the files are what counts, and they are useless.
    champion = champion_of(lake, BEFORE, good.parameters, shuffled(good.twin))

    found = against_champion(judged(lake, good, champion))

    assert AS_SERVED in found.text
    assert found.figures["champion"] == pytest.approx(
        evaluate(shuffled(good.twin), SPLIT).mean("ndcg"), abs=0.02
    )
    assert found.figures["low"] > 0


def test_a_champion_that_has_seen_the_hold_out_gains_nothing_from_it(
    lake: Lake, good: TrainedFactorisation
) -> None:
    # It has learned the hold-out by heart, and nothing else.
    parrot = replace(
        good.model,
        user_embeddings=np.eye(len(good.model.user_ids), dtype=np.float32),
        item_embeddings=_liked_later(good.model),
    )
    champion = champion_of(lake, AFTER, {**good.parameters, "seed": 2}, parrot)
    assert evaluate(parrot, SPLIT).mean("ndcg") > 0.9

    found = against_champion(judged(lake, good, champion))

    assert OTHER_RECIPE in found.text
    assert found.figures["champion"] == pytest.approx(good.evaluation.mean("ndcg"), abs=0.1)


def _liked_later(model: Factorisation) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    likes = np.zeros((len(model.item_ids), len(model.user_ids)), dtype=np.float32)
    for user, item in SPLIT.relevant().iter_rows():
        likes[model.item_rows[item], model.user_rows[user]] = 100
    return likes


def test_where_each_user_has_a_cut_of_their_own_recipes_are_compared(
    lake: Lake, good: TrainedFactorisation
) -> None:
    per_user = split_per_user(SCORES)
    champion = champion_of(lake, BEFORE, {**good.parameters, "seed": 2}, good.model)

    decision = judged(lake, train(split=per_user), champion, HoldOut(per_user, NO_ITEMS, NO_USERS))

    assert OTHER_RECIPE in against_champion(decision).text


def test_items_that_the_champion_does_not_know_come_last_in_its_lists(
    lake: Lake, good: TrainedFactorisation
) -> None:
    known = SPLIT.train.filter(pl.col("item_id") < "i012")
    old = fit_twin(
        replace(SPLIT, train=known), NO_ITEMS, NO_USERS, parameters=GOOD, seed=1, threshold=0.5
    )
    champion = champion_of(lake, BEFORE, good.parameters, old)

    decision = judged(lake, good, champion)

    # Both are measured over one catalogue, of 24 items.
    (coverage,) = [found for found in decision.findings if found.name == "coverage"]
    assert coverage.figures["challenger"] == 1.0
    assert decision.is_promoted
    assert against_champion(decision).figures["low"] > 0


def test_the_bias_to_what_is_popular_is_that_of_the_lists(
    lake: Lake, good: TrainedFactorisation
) -> None:
    def listed(sign: float) -> tuple[float, float]:
        ranked_by_likes = replace(
            good.twin,
            user_embeddings=np.zeros_like(good.twin.user_embeddings),
            item_biases=sign * good.twin.item_popularity,
        )
        champion = champion_of(lake, BEFORE, good.parameters, ranked_by_likes)
        decision = judged(lake, good, champion)
        (found,) = [known for known in decision.findings if known.name == "popularity_bias"]
        return found.figures["challenger"], found.figures["champion"]

    (ours, most), (again, least) = listed(1), listed(-1)

    assert least < ours == again < most
    likes = np.sort(good.twin.item_popularity)
    # Lists of 10 of 24 items, less those that a user has seen.
    assert likes[:10].mean() <= least
    assert most <= likes[-10:].mean()


@pytest.mark.parametrize("changes", [{"components": -1}, {"epochs": "many"}, {"seed": None}])
def test_a_champion_of_unknown_parameters_is_not_compared_by_guessing(
    lake: Lake, good: TrainedFactorisation, changes: dict[str, Any]
) -> None:
    champion = champion_of(lake, AFTER, {**good.parameters, **changes}, good.model)
    of_another_kind = champion_of(lake, AFTER, {"depth": 3}, good.model)

    for unknown in (champion, of_another_kind):
        decision = judged(lake, good, unknown)

        assert not decision.is_promoted
        assert "There is no fair comparison with the champion" in decision.reason
        assert "promote by hand" in decision.reason
