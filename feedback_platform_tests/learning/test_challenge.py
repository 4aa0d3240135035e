from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry, sources
from feedback_platform.learning.challenge import (
    AS_SERVED,
    OTHER_RECIPE,
    SAME_RECIPE,
    challenge,
)
from feedback_platform.learning.ease import LinearScores
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.evaluation import evaluate
from feedback_platform.learning.gate import Decision, Finding
from feedback_platform.learning.gate_rules import default_gate_rules
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.inner_splits import inner_splits
from feedback_platform.learning.model_version import ModelVersion
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.preferences import preferences
from feedback_platform.learning.ranker_file import RANKER_FILE
from feedback_platform.learning.ranking import pair_matrix
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.sources import (
    Source,
    TrainingInput,
    item_ease,
    popularity,
    spark_als,
)
from feedback_platform.learning.training import (
    RECOMMENDER,
    RECOMMENDER_FILE,
    TrainedRecommender,
    train_recommender,
)
from feedback_platform.learning.training_data import choose_cut, split_at, split_per_user
from feedback_platform.spark_session import SparkUnavailableError
from feedback_platform_tests.learning.few_sources import SMALL_LIGHTFM, TINY_LIGHTFM
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, at, two_tastes
from feedback_platform_tests.learning.ranker_frames import chains

SCORES = two_tastes(users=200)
CUT = choose_cut(SCORES["last_feedback_at"])
SPLIT = split_at(SCORES.filter(pl.col("last_feedback_at") <= CUT), SCORES, CUT)
HOLD_OUT = HoldOut(SPLIT, NO_ITEMS, NO_USERS)
NOW = TrainingInput(SCORES, NO_ITEMS, NO_USERS, SPLIT.threshold)
BEFORE, AFTER = CUT - timedelta(days=1), CUT + timedelta(days=30)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def train(*sources: Source, hold_out: HoldOut = HOLD_OUT) -> TrainedRecommender:
    """By the sources, all of the same weight."""
    return train_recommender(hold_out, NOW, seed=1, sources=sources or (SMALL_LIGHTFM,))


@pytest.fixture(scope="module")
def good() -> TrainedRecommender:
    return train()


def champion_of(
    lake: Lake,
    trained_at: datetime,
    parameters: Mapping[str, Any],
    model: Recommender,
) -> ModelVersion:
    return registry.register(
        lake,
        RECOMMENDER,
        files={RECOMMENDER_FILE: model.to_bytes()},
        trained_at=trained_at,
        trigger="manual",
        metrics={},
        parameters=parameters,
    )


def judged(
    lake: Lake,
    trained: TrainedRecommender,
    champion: ModelVersion | None,
    hold_out: HoldOut = HOLD_OUT,
) -> Decision:
    rules = default_gate_rules()
    return challenge(lake, trained, hold_out, champion, segments={}, rules=rules, seed=1)


def against_champion(decision: Decision) -> Finding:
    (found,) = [known for known in decision.findings if known.name == "champion"]
    return found


def of(model: LinearScores | Popularity, like: Recommender) -> Recommender:
    """A recommender of one model, that knows whom another knows."""
    kind = "popularity" if isinstance(model, Popularity) else "linear"
    return replace(like, ensemble=Ensemble((Member("one", kind, 1, model),)))


def shuffled(model: Recommender) -> Recommender:
    """The same model with its items' names mixed up."""
    names = np.random.default_rng(1).permutation(model.item_ids)
    mixed = tuple(str(name) for name in names)
    members = tuple(
        replace(member, model=replace(member.model, item_ids=mixed))  # type: ignore[type-var]
        for member in model.ensemble.members
    )
    return replace(
        model, ensemble=Ensemble(members), popularity=replace(model.popularity, item_ids=mixed)
    )


def test_without_a_champion_popularity_is_the_measure(lake: Lake, good: TrainedRecommender) -> None:
    decision = judged(lake, good, None)

    assert decision.is_promoted
    assert [found.name for found in decision.findings] == ["popularity"]


def test_the_champions_own_recipe_is_as_good_as_the_champion(
    lake: Lake, good: TrainedRecommender
) -> None:
    champion = champion_of(lake, AFTER, good.parameters, good.model)

    decision = judged(lake, good, champion)

    found = against_champion(decision)
    assert decision.is_promoted
    assert SAME_RECIPE in found.text
    assert (found.figures["low"], found.figures["high"]) == (0, 0)


def test_a_model_of_a_tiny_dimension_is_refused(lake: Lake, good: TrainedRecommender) -> None:
    champion = champion_of(lake, AFTER, good.parameters, good.model)
    tiny = train(TINY_LIGHTFM)

    decision = judged(lake, tiny, champion)

    found = against_champion(decision)
    assert not decision.is_promoted
    assert not found.passed
    assert OTHER_RECIPE in found.text
    assert found.figures["champion"] == pytest.approx(good.evaluation.mean("ndcg"))
    assert found.figures["high"] < 0


def test_a_model_trained_on_shuffled_items_is_refused(lake: Lake, good: TrainedRecommender) -> None:
    champion = champion_of(lake, AFTER, {**good.parameters, "seed": 2}, good.model)
    mixed = SPLIT.train.with_columns(pl.col("item_id").shuffle(seed=1)).unique(
        ["user_id", "item_id"], maintain_order=True
    )
    twin = good.recipe.fit(replace(HOLD_OUT.training_part, scores=mixed))
    bad = replace(good, twin=twin, measured=HOLD_OUT.measure(twin))

    decision = judged(lake, bad, champion)

    assert not decision.is_promoted
    assert not against_champion(decision).passed


def test_without_spark_a_champion_that_spark_made_is_left_to_a_person(
    lake: Lake, good: TrainedRecommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_session() -> None:
        raise SparkUnavailableError("PySpark is not installed here.")

    monkeypatch.setattr(sources, "spark_session", no_session)
    of_spark = {"sources": [{**spark_als(4, 0.2, 3).description, "weight": 1.0}]}
    champion = champion_of(lake, AFTER, {**good.parameters, **of_spark}, good.model)

    decision = judged(lake, good, champion)

    assert not decision.is_promoted
    assert "cannot be fitted here (PySpark is not installed" in against_champion(decision).text


def test_a_better_recipe_takes_over_from_a_tiny_one(lake: Lake, good: TrainedRecommender) -> None:
    tiny = {"sources": [{**TINY_LIGHTFM.description, "weight": 1.0}]}
    champion = champion_of(lake, AFTER, {**good.parameters, **tiny}, good.model)

    decision = judged(lake, good, champion)

    assert decision.is_promoted
    assert against_champion(decision).figures["low"] > 0


def test_a_champion_from_before_the_hold_out_is_measured_as_it_is_served(
    lake: Lake, good: TrainedRecommender
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
    lake: Lake, good: TrainedRecommender
) -> None:
    # It has learned the hold-out by heart, and nothing else.
    users, items = good.model.user_ids, good.model.item_ids
    later = preferences(SPLIT.test, items)
    heart = pair_matrix(SPLIT.relevant(), later.user_ids, items)
    ones = np.eye(len(items), dtype=np.float32)
    by_heart = LinearScores(later.user_ids, items, heart, ones, np.empty((0, 0), np.float32))
    parrot = of(by_heart, replace(good.model, user_ids=users))
    champion = champion_of(lake, AFTER, {**good.parameters, "seed": 2}, parrot)
    assert evaluate(parrot, SPLIT).mean("ndcg") > 0.9

    found = against_champion(judged(lake, good, champion))

    assert OTHER_RECIPE in found.text
    assert found.figures["champion"] == pytest.approx(good.evaluation.mean("ndcg"), abs=0.1)


def test_where_each_user_has_a_cut_of_their_own_recipes_are_compared(
    lake: Lake, good: TrainedRecommender
) -> None:
    per_user = split_per_user(SCORES)
    champion = champion_of(lake, BEFORE, {**good.parameters, "seed": 2}, good.model)

    hold_out = HoldOut(per_user, NO_ITEMS, NO_USERS)

    decision = judged(lake, train(hold_out=hold_out), champion, hold_out)

    assert OTHER_RECIPE in against_champion(decision).text


def test_items_that_the_champion_does_not_know_come_last_in_its_lists(
    lake: Lake, good: TrainedRecommender
) -> None:
    known = SPLIT.train.filter(pl.col("item_id") < "i012")
    old = good.recipe.fit(replace(HOLD_OUT.training_part, scores=known))
    champion = champion_of(lake, BEFORE, good.parameters, old)

    decision = judged(lake, good, champion)

    # Both are measured over one catalogue, of 24 items.
    (coverage,) = [found for found in decision.findings if found.name == "coverage"]
    assert coverage.figures["challenger"] == 1.0
    assert decision.is_promoted
    assert against_champion(decision).figures["low"] > 0


def test_the_bias_to_what_is_popular_is_that_of_the_lists(
    lake: Lake, good: TrainedRecommender
) -> None:
    likes = good.twin.popularity

    def listed(sign: float) -> tuple[float, float]:
        by_likes = replace(likes, weights=sign * likes.weights)
        champion = champion_of(lake, BEFORE, good.parameters, of(by_likes, good.twin))
        decision = judged(lake, good, champion)
        (found,) = [known for known in decision.findings if known.name == "popularity_bias"]
        return found.figures["challenger"], found.figures["champion"]

    (ours, most), (again, least) = listed(1), listed(-1)

    assert least < ours == again < most
    # The gate's figure is the one that is stored with the version.
    assert ours == good.metrics["popularity_bias_at_10"]


UNKNOWN = {**popularity().description, "weight": 1.0, "algorithm": "oracle"}


@pytest.mark.parametrize(
    "changes", [{"sources": [UNKNOWN]}, {"sources": []}, {"sources": {}}, {"seed": None}]
)
def test_a_champion_of_unknown_parameters_is_not_compared_by_guessing(
    lake: Lake, good: TrainedRecommender, changes: dict[str, Any]
) -> None:
    champion = champion_of(lake, AFTER, {**good.parameters, **changes}, good.model)
    of_another_kind = champion_of(lake, AFTER, {"depth": 3}, good.model)

    for unknown in (champion, of_another_kind):
        decision = judged(lake, good, unknown)

        assert not decision.is_promoted
        assert "There is no fair comparison with the champion" in decision.reason
        assert "mean nothing to this release" in decision.reason
        assert "promote by hand" in decision.reason


def test_a_champion_is_compared_without_a_source_that_is_out_of_reach_by_now(
    lake: Lake, good: TrainedRecommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = train(item_ease(10), SMALL_LIGHTFM)
    ease_alone = train(item_ease(10))
    monkeypatch.setattr(sources, "MAXIMUM_SIDE", 10)

    champion = champion_of(lake, AFTER, both.parameters, both.model)
    found = against_champion(judged(lake, good, champion))
    assert OTHER_RECIPE in found.text
    assert found.figures["champion"] == pytest.approx(good.evaluation.mean("ndcg"))

    nothing_left = champion_of(lake, AFTER, ease_alone.parameters, ease_alone.model)
    decision = judged(lake, good, nothing_left)
    assert "No candidate source can learn from" in decision.reason


CHAINS = chains()
OF_EACH = split_per_user(CHAINS)
IN_ROWS = HoldOut(OF_EACH, NO_ITEMS, NO_USERS, tuple(inner_splits(OF_EACH, {})))
AT_ONCE = split_at(CHAINS.filter(pl.col("last_feedback_at") <= at(70)), CHAINS, at(70))


@pytest.fixture(scope="module")
def of_chains() -> TrainedRecommender:
    """Whose lists a ranker orders."""
    data = TrainingInput(CHAINS, NO_ITEMS, NO_USERS, 0.5)
    return train_recommender(IN_ROWS, data, seed=1, sources=(item_ease(20), popularity()))


def registered(lake: Lake, trained_at: datetime, of: TrainedRecommender) -> ModelVersion:
    return registry.register(
        lake, RECOMMENDER, files=of.files, trained_at=trained_at, trigger="manual", metrics={},
        parameters=of.parameters,
    )  # fmt: skip


def test_a_challenger_that_lost_the_champions_ranker_is_refused(
    lake: Lake, of_chains: TrainedRecommender
) -> None:
    champion = registered(lake, AFTER, of_chains)
    recipe = replace(of_chains.recipe, ranker=None)
    twin = recipe.fit_twin(IN_ROWS)
    worse = replace(of_chains, recipe=recipe, twin=twin, measured=IN_ROWS.measure(twin))

    decision = judged(lake, worse, champion, IN_ROWS)

    found = against_champion(decision)
    assert not decision.is_promoted
    assert OTHER_RECIPE in found.text
    # The champion's ranker was trained again, on the challenger's inner splits.
    assert found.figures["champion"] == of_chains.evaluation.mean("ndcg")
    assert found.figures["high"] < 0
    same = against_champion(judged(lake, of_chains, champion, IN_ROWS))
    assert SAME_RECIPE in same.text


def test_a_champion_from_before_the_hold_out_is_ranked_as_it_is_served(
    lake: Lake, of_chains: TrainedRecommender
) -> None:
    hold_out = HoldOut(AT_ONCE, NO_ITEMS, NO_USERS)
    plain = replace(of_chains.recipe, ranker=None).fit_twin(hold_out)
    challenger = replace(
        of_chains,
        twin=plain,
        measured=hold_out.measure(plain),
        popularity=evaluate(plain.popularity, AT_ONCE),
    )
    old = of_chains.recipe.fit_with(hold_out.training_part, of_chains.twin.ranker)
    files = {RECOMMENDER_FILE: old.to_bytes()}
    assert old.ranker is not None

    def against(files: Mapping[str, bytes], day: int) -> Finding:
        champion = registry.register(
            lake, RECOMMENDER, files=files, trained_at=at(60 + day), trigger="manual", metrics={},
            parameters=of_chains.parameters,
        )  # fmt: skip
        return against_champion(judged(lake, challenger, champion, hold_out))

    ranked = against({**files, RANKER_FILE: old.ranker.to_bytes()}, 0)
    unranked = against(files, 1)

    assert AS_SERVED in ranked.text
    assert unranked.figures["champion"] == challenger.evaluation.mean("ndcg")
    served = hold_out.measure(hold_out.served(old)).evaluation.mean("ndcg")
    assert ranked.figures["champion"] == served > unranked.figures["champion"]
