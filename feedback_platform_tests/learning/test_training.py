from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from feedback_platform.learning.evaluation import difference, evaluate
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.inner_splits import choose_inner_cuts, inner_splits
from feedback_platform.learning.ranker_file import RANKER_FILE
from feedback_platform.learning.ranker_history import history
from feedback_platform.learning.recipe import Recipe
from feedback_platform.learning.recommendations import recommend
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.segment_model import SegmentModel
from feedback_platform.learning.sources import (
    DEFAULT_SOURCES,
    Source,
    TrainingInput,
    item_ease,
    popularity,
)
from feedback_platform.learning.training import (
    RECOMMENDER_FILE,
    SEGMENTS_FILE,
    TrainedRecommender,
    train_recommender,
    train_segments,
)
from feedback_platform.learning.training_data import (
    TimeSplit,
    choose_cut,
    choose_split,
    split_at,
    split_per_user,
)
from feedback_platform_tests.learning.affinities import AFFINITIES
from feedback_platform_tests.learning.few_sources import FEW_SOURCES, SMALL_LIGHTFM
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, at, items_of, two_tastes
from feedback_platform_tests.learning.movielens import movielens_frames
from feedback_platform_tests.learning.ranker_frames import chains, shown_of
from feedback_platform_tests.learning.trained_once import recommender_once


def as_of(scores: pl.DataFrame, holdout: float = 0.2) -> TimeSplit:
    cut = choose_cut(scores["last_feedback_at"], holdout)
    return split_at(scores.filter(pl.col("last_feedback_at") <= cut), scores, cut)


def trained(
    seed: int = 1,
    *,
    items: pl.DataFrame = NO_ITEMS,
    users: pl.DataFrame = NO_USERS,
    items_at_cut: pl.DataFrame | None = None,
    users_at_cut: pl.DataFrame | None = None,
    sources: tuple[Source, ...] = (SMALL_LIGHTFM,),
    train: Callable[..., TrainedRecommender] = recommender_once,
) -> TrainedRecommender:
    """On two tastes; what is known of items and users was known at the cut, unless told apart."""
    scores = two_tastes()
    split = as_of(scores)
    hold_out = HoldOut(
        split,
        items if items_at_cut is None else items_at_cut,
        users if users_at_cut is None else users_at_cut,
        (split_per_user(split.train),),
    )
    return train(
        hold_out,
        TrainingInput(scores, items, users, split.threshold),
        seed=seed,
        sources=sources,
    )


def test_a_learnable_preference_beats_popularity() -> None:
    result = trained()
    assert result.evaluation.mean("ndcg") > result.popularity.mean("ndcg") + 0.1
    assert result.popularity.mean("ndcg") > 0
    assert result.gain.low > 0
    assert result.metrics["evaluated_users"] == len(result.evaluation.user_ids)
    ours, baseline = result.evaluation.mean("ndcg"), result.popularity.mean("ndcg")
    assert (result.metrics["ndcg_at_10"], result.metrics["popularity_ndcg_at_10"]) == (
        ours,
        baseline,
    )
    assert result.metrics["ndcg_at_10_gain"] == pytest.approx(ours - baseline)


def test_training_is_repeatable() -> None:
    first, again, other = trained(), trained(train=train_recommender), trained(seed=2)
    assert first.files == again.files
    assert first.metrics == again.metrics
    assert first.files != other.files


def test_the_measured_model_knows_only_items_from_before_the_cut() -> None:
    later = items_of(*[(f"new{n}", None, []) for n in range(50)])
    result = trained(items=later)
    assert result.metrics == trained().metrics
    assert len(result.model.item_ids) == 24 + 50


def test_what_was_said_of_items_and_users_after_the_cut_helps_the_served_model_only() -> None:
    items = items_of(
        *[(f"i{item:03d}", None, ["even", "odd"][item % 2 : item % 2 + 1]) for item in range(24)]
    )
    users = pl.DataFrame(
        [
            (user, [f"taste:{int(user[1:]) % 2}"])
            for user in two_tastes()["user_id"].unique().sort()
        ],
        schema=NO_USERS.schema,
        orient="row",
    )

    told_later = trained(items=items, users=users, items_at_cut=NO_ITEMS, users_at_cut=NO_USERS)
    told_before = trained(items=items, users=users)

    assert told_later.metrics == trained().metrics
    assert told_later.files != trained().files
    assert told_later.files == told_before.files
    # They do give the hold-out away.
    assert told_before.evaluation.mean("ndcg") > told_later.evaluation.mean("ndcg")


def test_files_hold_the_models() -> None:
    result = trained()
    stored = Recommender.from_bytes(result.files[RECOMMENDER_FILE])
    assert stored.to_bytes() == result.model.to_bytes()
    users = ["u000", "nobody", "u001"]
    assert stored.scores(users).tolist() == result.model.scores(users).tolist()
    segments = train_segments(AFFINITIES, seed=1)
    assert len(SegmentModel.from_bytes(segments.files[SEGMENTS_FILE]).centres) == 3
    assert segments.metrics["users"] == 190
    stability = segments.segmentation.stability
    assert stability is not None
    assert segments.metrics["bootstrap_adjusted_rand"] == stability.adjusted_rand
    assert segments.metrics["lowest_stability"] == min(filter(None, stability.segments))


@pytest.fixture(scope="module")
def movielens(shared_data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    return movielens_frames(shared_data)


@pytest.mark.slow
def test_the_default_sources_beat_popularity_and_each_of_them_on_movielens(
    movielens: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    scores, items = movielens
    cut = choose_cut(scores["last_feedback_at"])
    before = scores.filter(pl.col("last_feedback_at") <= cut)
    # MovieLens users come once: the global cut leaves 28 of 610, so each has a cut of their own.
    assert len(split_at(before, scores, cut).evaluated_users()) == 28
    split = choose_split(before, scores, cut)
    assert split.kind == "per_user"
    result = train_recommender(
        HoldOut(split, items, NO_USERS, tuple(inner_splits(split, {}))),
        TrainingInput(scores, items, NO_USERS, split.threshold),
        seed=1,
    )
    assert result.metrics["evaluated_users"] == 604
    assert result.unranked is not None
    assert result.unranked.mean("ndcg") > 0.135  # of LightFM alone .131
    assert difference(result.evaluation, result.unranked, seed=1).low > 0
    members = [evaluate(member.model, split) for member in result.twin.ensemble.members]
    best = max(members, key=lambda each: each.mean("ndcg"))
    gain = difference(result.evaluation, best, seed=1)
    assert gain.low > 0
    assert gain.mean > 0.05 * best.mean("ndcg")
    assert result.ranker is not None
    assert result.ranker.calibration_error < 0.02
    assert result.popularity.mean("ndcg") > 0.08
    assert result.gain.low > 0
    alone = result.selection.alone
    # EASE over 9,742 items is out of reach.
    assert alone.keys() == {s.name for s in DEFAULT_SOURCES if s.is_for(610, 9_742)}
    assert not any(name.startswith(("item-ease", "sequence-ease")) for name in alone)
    assert result.selection.ndcg is not None
    assert result.selection.ndcg > max(alone.values())
    known = history(scores, items, result.model.item_ids)
    lists = recommend(result.model, scores, items, model_version="v", known=known)
    assert lists.height == 610 * 20
    assert lists.join(scores, on=["user_id", "item_id"], how="semi").is_empty()


# In short: test_a_learnable_preference_beats_popularity, at a global cut of planted tastes.
@pytest.mark.slow
def test_the_recommender_also_beats_popularity_at_the_global_cut(
    movielens: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    scores, items = movielens
    split, times = as_of(scores), scores["last_feedback_at"]
    inner_cut = choose_inner_cuts(times, choose_cut(times))[0]
    known = {inner_cut: scores.filter(times <= inner_cut)}
    result = train_recommender(
        HoldOut(split, items, NO_USERS, tuple(inner_splits(split, known))),
        TrainingInput(scores, items, NO_USERS, split.threshold),
        seed=1,
        sources=tuple(source for source in DEFAULT_SOURCES if "als" not in source.algorithm),
    )
    assert result.evaluation.mean("ndcg") > result.popularity.mean("ndcg")


def test_movielens_users_fall_into_segments_by_genre(
    movielens: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    scores, items = movielens
    genres = scores.join(items, on="item_id").explode("categories").drop_nulls()
    affinities = (
        genres.group_by("user_id", pl.col("categories").alias("category"))
        .agg(pl.col("feedback_score").sum().alias("affinity"))
        .with_columns(pl.col("affinity") / pl.col("affinity").sum().over("user_id"))
    )
    result = train_segments(affinities, seed=1)
    assert result.metrics["users"] == 610
    assert 2 <= len(result.segmentation.names) <= 10


def test_a_per_user_split_of_few_pairs_each_trains_too() -> None:
    scores = two_tastes(users=30, items=24)
    split = split_per_user(scores)
    result = train_recommender(
        HoldOut(split, NO_ITEMS, NO_USERS),
        TrainingInput(scores, NO_ITEMS, NO_USERS, split.threshold),
        seed=1,
        sources=FEW_SOURCES,
        k=5,
    )
    assert set(result.metrics) >= {"ndcg_at_5", "coverage_at_5", "novelty_at_5"}
    # Without an inner split there is nothing to choose by.
    assert set(result.selection.weights.values()) == {1 / 3}
    assert result.metrics["inner_ndcg_at_10"] is None


def test_the_figures_tell_of_every_source_and_of_the_lists() -> None:
    items = items_of(
        *[(f"i{item:03d}", None, ["even", "odd"][item % 2 : item % 2 + 1]) for item in range(24)]
    )
    result = trained(items=items, sources=FEW_SOURCES)
    figures = result.metrics
    for source in FEW_SOURCES:
        assert figures[f"inner_ndcg_at_10_of_{source.name}"] == result.selection.alone[source.name]
    assert figures["inner_ndcg_at_10"] == result.selection.ndcg
    quality = result.measured.quality
    assert figures["popularity_bias_at_10"] == quality.popularity_bias
    assert figures["diversity_at_10"] == quality.diversity
    assert figures["miscalibration_at_10"] == quality.miscalibration
    # Lists hold what is left of the users' own half first, and then some of the other.
    assert quality.diversity is not None
    assert 0 < quality.diversity < 0.6
    assert trained(sources=FEW_SOURCES).metrics["diversity_at_10"] is None


def ranked(scores: pl.DataFrame) -> tuple[TrainedRecommender, HoldOut]:
    """On what only a ranker can learn: what users take next."""
    split = split_per_user(scores)
    hold_out = HoldOut(split, NO_ITEMS, NO_USERS, tuple(inner_splits(split, {})))
    data = TrainingInput(scores, NO_ITEMS, NO_USERS, split.threshold)
    return train_recommender(hold_out, data, seed=1, sources=CHAIN_SOURCES, k=3), hold_out


CHAIN_SOURCES = (item_ease(20), popularity())
CHAINS = chains()


@pytest.fixture(scope="module")
def of_chains() -> TrainedRecommender:
    return ranked(CHAINS)[0]


def bytes_of(model: Recommender) -> tuple[bytes, bytes]:
    assert model.ranker is not None
    return model.to_bytes(), model.ranker.to_bytes()


def test_the_lists_that_are_measured_are_ranked_where_that_helps(
    of_chains: TrainedRecommender,
) -> None:
    assert of_chains.recipe.ranker is not None
    assert of_chains.unranked is not None
    assert difference(of_chains.evaluation, of_chains.unranked, seed=1).low > 0.05
    figures, how = of_chains.metrics, of_chains.ranker
    assert figures["ndcg_at_3"] == of_chains.evaluation.mean("ndcg")
    assert figures["unranked_ndcg_at_3"] == of_chains.unranked.mean("ndcg")
    assert how is not None
    assert how.ndcg[how.parameters] > how.alone["ensemble"]
    assert figures["inner_ndcg_at_10_of_ranker"] == how.ndcg[how.parameters]
    assert figures["inner_ndcg_at_10_without_ranker"] == how.alone["ensemble"]
    assert figures["ranker_calibration_error"] == how.calibration_error
    # Two of ten are held out of each user; the candidates are the 32 others.
    assert figures["ranker_rate"] == pytest.approx(2 / 32)


def test_a_ranked_model_is_made_again_from_its_parameters(of_chains: TrainedRecommender) -> None:
    again, hold_out = ranked(CHAINS.reverse())
    assert again.files == of_chains.files
    assert again.metrics == of_chains.metrics
    assert RANKER_FILE in again.files

    recipe = Recipe.of(json.loads(json.dumps(of_chains.parameters)))
    assert recipe == of_chains.recipe
    twin = recipe.fit_twin(hold_out)
    assert bytes_of(twin) == bytes_of(of_chains.twin)
    # What is served has learned from the hold-out, too: its members, and its ranker.
    data = TrainingInput(CHAINS, NO_ITEMS, NO_USERS, recipe.threshold)
    served = recipe.fit(data, recipe.lessons([*hold_out.similar_parts, hold_out]))
    assert bytes_of(served) == bytes_of(of_chains.model)
    assert bytes_of(served)[1] != bytes_of(twin)[1]


CUTS = (at(70), at(55), at(40), at(25))
LIKED = set(CHAINS.select("user_id", "item_id").iter_rows())
# Everybody is shown everything, again and again; before the cut they click on what they will like,
# and in the hour before it and after it on the rest.
SHOWN = shown_of(
    *[
        (user, item, hours, ((user, item) in LIKED) == (hours < 69))
        for user in sorted({user for user, _ in LIKED})
        for item in sorted({item for _, item in LIKED})
        for hours in (23, 38, 53, 68, 69.5, 75)
    ]
)


def test_what_happens_after_the_cut_changes_nothing_of_what_is_measured() -> None:
    known = {cut: CHAINS.filter(pl.col("last_feedback_at") <= cut) for cut in CUTS}
    later = CHAINS.filter(pl.col("last_feedback_at") > CUTS[0])

    def measured(after: pl.DataFrame, shown: pl.DataFrame) -> tuple[object, ...]:
        now = pl.concat([known[CUTS[0]], after])
        split = split_at(known[CUTS[0]], now, CUTS[0])
        inner = tuple(split_at(known[cut], known[until], cut) for until, cut in pairwise(CUTS))
        hold_out = HoldOut(split, NO_ITEMS, NO_USERS, inner, shown)
        data = TrainingInput(now, NO_ITEMS, NO_USERS, split.threshold)
        found = train_recommender(hold_out, data, seed=1, sources=CHAIN_SOURCES)
        lists = hold_out.served(found.twin).scores(["u065", "u066"])
        return found.recipe, bytes_of(found.twin), lists.tolist()

    # Others are liked later, and what was shown less than an hour before the cut or after it is
    # not known at it, nor what came of it.
    mixed = later.with_columns(pl.col("item_id").reverse())
    mixed = mixed.unique(["user_id", "item_id"]).join(
        known[CUTS[0]], on=["user_id", "item_id"], how="anti"
    )
    seen_before = SHOWN.filter(pl.col("shown_at") <= at(68))
    expected = measured(later, seen_before)
    assert measured(mixed, SHOWN) == expected
    # What was shown before does count.
    assert measured(later, seen_before.clear()) != expected


def test_the_parameters_make_the_same_model_again() -> None:
    result = trained(sources=FEW_SOURCES)
    stored = json.loads(json.dumps(result.parameters))
    scores = two_tastes()
    again = Recipe.of(stored).fit(TrainingInput(scores, NO_ITEMS, NO_USERS, stored["threshold"]))
    assert again.to_bytes() == result.model.to_bytes()
    assert Recipe.of(stored) == result.recipe
    weights = {source["name"]: source["weight"] for source in stored["sources"]}
    assert weights == result.selection.weights
