from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import polars as pl
import pytest

from feedback_platform.errors import NothingToLearnError
from feedback_platform.lake.keys import model_champion, model_promotions, recommendations
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.code_version import code_version
from feedback_platform.learning.freezes import Freeze, freeze, unfreeze
from feedback_platform.learning.gate_rules import default_gate_rules
from feedback_platform.learning.inner_splits import choose_inner_cuts
from feedback_platform.learning.learned_tables import (
    RegisteredRecommender,
    TrainingFrames,
    learn_recommender,
    learn_segments,
    learned_tables,
    refresh_recommendations,
)
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform.learning.ranker_features import FEATURES
from feedback_platform.learning.ranker_file import RANKER_FILE
from feedback_platform.learning.ranker_history import history
from feedback_platform.learning.recommendations import RECOMMENDATIONS_SCHEMA, recommend
from feedback_platform.learning.segment_tables import ASSIGNMENTS_FILE, HISTORY_SCHEMA
from feedback_platform.learning.stored_recommender import read_recommender
from feedback_platform.learning.training import RECOMMENDER, RECOMMENDER_FILE, SEGMENTS
from feedback_platform.learning.training_data import choose_cut
from feedback_platform.learning.version_table import versions
from feedback_platform_tests.learning.affinities import AFFINITIES
from feedback_platform_tests.learning.few_sources import FEW_SOURCES, TINY_LIGHTFM
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, two_tastes
from feedback_platform_tests.learning.ranker_frames import chains
from feedback_platform_tests.learning.registered import corrupt, tear
from feedback_platform_tests.learning.trained_once import recommender_once, segments_once

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLES = {
    "model_versions",
    "recommendations",
    "segment_assignments",
    "segment_profiles",
    "user_segments",
}


USER_FEATURES = AFFINITIES.select("user_id").unique().with_columns(sessions=pl.lit(2.0))


@pytest.fixture(scope="module", autouse=True)
def _segments_once() -> Iterator[None]:
    with segments_once():
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


@pytest.fixture(scope="module")
def frames() -> TrainingFrames:
    scores = two_tastes()
    times = scores["last_feedback_at"]
    cut = choose_cut(times)
    return TrainingFrames(
        scores=scores,
        scores_at_cut=scores.filter(pl.col("last_feedback_at") <= cut),
        cut=cut,
        scores_at_inner_cuts={
            inner: scores.filter(times <= inner) for inner in choose_inner_cuts(times, cut)
        },
        items=NO_ITEMS,
        items_at_cut=NO_ITEMS,
        users=NO_USERS,
        users_at_cut=NO_USERS,
    )


@pytest.fixture(scope="module")
def learned(frames: TrainingFrames, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake after one training of everything."""
    lake = Lake(tmp_path_factory.mktemp("learned").as_uri())
    learned_from(lake, frames, now=NOON, trigger="initial")
    learn_segments(lake, AFFINITIES, USER_FEATURES, now=NOON, trigger="initial")
    refresh_recommendations(lake, frames.scores, frames.items)
    return lake


@pytest.fixture(scope="module")
def in_rows() -> TrainingFrames:
    """What only a ranker can learn: users take things in rows."""
    scores = chains()
    cut = choose_cut(scores["last_feedback_at"])
    return TrainingFrames(
        scores=scores,
        scores_at_cut=scores.filter(pl.col("last_feedback_at") <= cut),
        cut=cut,
        scores_at_inner_cuts={},
        items=NO_ITEMS,
        items_at_cut=NO_ITEMS,
        users=NO_USERS,
        users_at_cut=NO_USERS,
    )


def learned_from(lake: Lake, frames: TrainingFrames, **told: Any) -> RegisteredRecommender:
    chosen: dict[str, Any] = {"sources": FEW_SOURCES, "train": recommender_once, **told}
    return learn_recommender(lake, frames, **chosen)


def table(lake: Lake, name: str) -> pl.DataFrame:
    return learned_tables(lake)["ml", name]


def test_a_sample_of_very_many_users_measures(lake: Lake, frames: TrainingFrames) -> None:
    everybody = learned_from(lake, frames, now=NOON, trigger="initial").trained
    few = learned_from(
        lake, frames, now=NOON + timedelta(hours=1), trigger="manual", most_evaluated=10
    ).trained
    assert few.metrics["evaluated_users"] == 10 < len(everybody.evaluation.user_ids)
    assert set(few.evaluation.user_ids) < set(everybody.evaluation.user_ids)
    # What the model learns from is the same.
    assert few.twin.to_bytes() == everybody.twin.to_bytes()


def _turned(frames: TrainingFrames) -> pl.DataFrame:
    """After the cut everybody likes four items of the kind that they had no taste for."""
    known = set(frames.scores_at_cut.select("user_id", "item_id").iter_rows())
    users = frames.scores_at_cut["user_id"].unique(maintain_order=True)
    rows = []
    for number, user in enumerate(users):
        other = 1 - int(user[1:]) % 2
        items = [f"i{item:03d}" for item in range(other, 24, 2)]
        unknown = [item for item in items if (user, item) not in known]
        rows += [(user, unknown[(number + step) % len(unknown)], 0.9, 1.0) for step in range(4)]
    liked = pl.DataFrame(rows, schema=frames.scores.columns[:4], orient="row")
    later = pl.lit(frames.cut + timedelta(hours=1)).cast(frames.scores.schema["last_feedback_at"])
    return liked.with_columns(last_feedback_at=later)


def test_an_empty_lake_has_every_table_without_rows(lake: Lake) -> None:
    tables = learned_tables(lake)

    assert tables.keys() == {("ml", name) for name in TABLES}
    assert [name for name, rows in tables.items() if not rows.is_empty()] == []


def test_a_lake_without_models_has_the_same_columns_as_one_with_models(
    lake: Lake, learned: Lake
) -> None:
    empty, full = learned_tables(lake), learned_tables(learned)

    assert {name: rows.schema for name, rows in empty.items()} == {
        name: rows.schema for name, rows in full.items()
    }


def test_a_model_that_beats_popularity_becomes_the_champion_and_says_why(learned: Lake) -> None:
    champion = champions.champion(learned, RECOMMENDER)
    assert champion is not None
    (row,) = versions(learned, RECOMMENDER).to_dicts()

    assert (row["version"], row["status"], row["trigger"]) == (
        champion.version,
        "champion",
        "initial",
    )
    assert "beats popularity" in row["reason"]
    assert champion.lineage.data_cut == two_tastes()["last_feedback_at"].max()
    assert champion.lineage.code_version == code_version()


def test_a_model_that_does_not_beat_popularity_is_rejected_and_the_champion_stays(
    frames: TrainingFrames, lake: Lake
) -> None:
    good = learned_from(lake, frames, now=NOON, trigger="initial")
    scores = pl.concat([frames.scores_at_cut, _turned(frames)])
    useless = replace(frames, scores=scores)

    bad = learned_from(lake, useless, now=NOON + timedelta(hours=1), trigger="drift")

    assert not bad.decision.is_promoted
    statuses = versions(lake, RECOMMENDER).select("version", "status", "trigger").rows()
    assert statuses == [
        (good.version.version, "champion", "initial"),
        (bad.version.version, "rejected", "drift"),
    ]


def test_a_retraining_by_the_same_recipe_on_newer_data_takes_over(
    frames: TrainingFrames, lake: Lake
) -> None:
    first = learned_from(lake, frames, now=NOON, trigger="initial")
    newer = replace(frames, through=8)

    second = learned_from(lake, newer, now=NOON + timedelta(days=1), trigger="schedule")

    assert second.decision.is_promoted
    assert second.version.lineage.compared_with == first.version.version
    assert second.version.lineage.data_through == 8
    stored = json.loads(versions(lake, RECOMMENDER)["decision"][1])
    assert stored["is_promoted"]
    assert [found["name"] for found in stored["findings"]] == [
        "popularity",
        "champion",
        "coverage",
        "popularity_bias",
    ]


def test_a_deliberately_worsened_model_is_refused_with_its_numbers_and_the_lists_stay(
    frames: TrainingFrames, lake: Lake
) -> None:
    good = learned_from(lake, frames, now=NOON, trigger="initial")

    bad = learned_from(
        lake, frames, now=NOON + timedelta(days=1), trigger="schedule", sources=(TINY_LIGHTFM,)
    )
    lists = refresh_recommendations(lake, frames.scores, frames.items)

    champion, refused = versions(lake, RECOMMENDER).to_dicts()
    assert (champion["version"], champion["status"]) == (good.version.version, "champion")
    assert (refused["version"], refused["status"]) == (bad.version.version, "rejected")
    assert refused["reason"] == bad.decision.reason
    assert (
        f"worse than {good.trained.evaluation.mean('ndcg'):.4f} of the champion"
        in (refused["reason"])
    )
    assert lists["model_version"].unique().to_list() == [good.version.version]


def test_a_champion_that_is_rolled_back_from_during_the_comparison_is_not_the_measure(
    frames: TrainingFrames, tmp_path: Path
) -> None:
    lake = _RolledBackMeanwhile(tmp_path.as_uri())
    first, _ = (
        learned_from(lake, frames, now=NOON + timedelta(hours=hour), trigger="manual")
        for hour in range(2)
    )
    lake.is_armed = True

    third = learned_from(lake, frames, now=NOON + timedelta(days=1), trigger="schedule")

    assert third.version.lineage.compared_with == first.version.version
    assert first.version.version in third.decision.reason


class _RolledBackMeanwhile(Lake):
    """A lake in which somebody rolls back while segments are read for the comparison."""

    is_armed = False

    def find(self, key: str) -> bytes | None:
        if self.is_armed and key == model_champion(SEGMENTS):
            self.is_armed = False
            champions.roll_back(self, RECOMMENDER, at=NOON, reason="complaints")
        return super().find(key)


class _RolledBackAtLast(Lake):
    """A lake in which somebody rolls back just before a promotion is written."""

    is_armed = False

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        if self.is_armed and key.startswith(model_promotions(RECOMMENDER)):
            self.is_armed = False
            champions.roll_back(self, RECOMMENDER, at=NOON, reason="complaints")
        super().put(key, data, mode=mode)


def test_a_model_that_was_compared_with_another_champion_is_not_promoted_over_this_one(
    frames: TrainingFrames, tmp_path: Path
) -> None:
    lake = _RolledBackAtLast(tmp_path.as_uri())
    first = learned_from(lake, frames, now=NOON, trigger="initial")
    second = learned_from(lake, frames, now=NOON + timedelta(hours=1), trigger="manual")
    assert second.decision.is_promoted
    lake.is_armed = True

    third = learned_from(lake, frames, now=NOON + timedelta(hours=2), trigger="schedule")

    assert not third.decision.is_promoted
    champion = champions.champion(lake, RECOMMENDER)
    assert champion is not None
    assert champion.version == first.version.version
    (row,) = (
        versions(lake, RECOMMENDER).filter(pl.col("version") == third.version.version).to_dicts()
    )
    assert row["status"] == "rejected"
    assert "another was promoted. This version was not compared with it" in row["reason"]
    assert row["reason"] == third.decision.reason


def test_each_segment_of_the_users_in_use_is_looked_at(frames: TrainingFrames, lake: Lake) -> None:
    tastes = AFFINITIES["user_id"].unique().shuffle(seed=1)[: frames.scores["user_id"].n_unique()]
    users = dict(zip(tastes, frames.scores["user_id"].unique(), strict=True))
    ours = AFFINITIES.with_columns(pl.col("user_id").replace(users))
    found = learn_segments(
        lake, ours, USER_FEATURES.clear(), now=NOON, trigger="initial"
    ).trained.segmentation
    learned_from(lake, frames, now=NOON, trigger="initial")

    again = learned_from(
        lake,
        frames,
        now=NOON + timedelta(days=1),
        trigger="manual",
        rules=replace(default_gate_rules(), smallest_segment=1),
    )

    looked_at = {known.name for known in again.decision.findings}
    assert {f"segment {name}" for name in found.names} <= looked_at
    assert len(found.names) == 3


@pytest.mark.parametrize("damage", [tear, corrupt])
def test_lists_and_segments_fall_back_on_the_last_good_model(
    frames: TrainingFrames, lake: Lake, damage: Callable[[Lake, ModelVersion, str], None]
) -> None:
    models, segmentations = [], []
    for day in range(2):
        now = NOON + timedelta(days=day)
        models.append(learned_from(lake, frames, now=now, trigger="manual").version)
        found = learn_segments(lake, AFFINITIES, USER_FEATURES, now=now, trigger="manual")
        segmentations.append(found.version)

    damage(lake, models[1], RECOMMENDER_FILE)
    damage(lake, segmentations[1], ASSIGNMENTS_FILE)
    refresh_recommendations(lake, frames.scores, frames.items)
    tables = {name: rows for (_, name), rows in learned_tables(lake).items()}

    for name, version in (
        ("recommendations", models[0]),
        ("user_segments", segmentations[0]),
        ("segment_profiles", segmentations[0]),
        ("segment_assignments", segmentations[0]),
    ):
        assert tables[name]["model_version"].unique().to_list() == [version.version]
    used = tables["model_versions"].filter(pl.col("status") == "champion")
    assert used["version"].to_list() == [models[0].version, segmentations[0].version]
    assert used["reason"].str.contains("is unusable").all()


def ranked_twice(lake: Lake, frames: TrainingFrames) -> list[ModelVersion]:
    versions = [
        learned_from(lake, frames, now=NOON + timedelta(days=day), trigger="manual").version
        for day in range(2)
    ]
    assert all(RANKER_FILE in version.files for version in versions)
    return versions


@pytest.mark.parametrize("damage", [tear, corrupt])
def test_without_its_ranker_the_lists_fall_back_on_the_last_good_model(
    in_rows: TrainingFrames, lake: Lake, damage: Callable[[Lake, ModelVersion, str], None]
) -> None:
    before, champion = ranked_twice(lake, in_rows)

    damage(lake, champion, RANKER_FILE)

    lists = refresh_recommendations(lake, in_rows.scores, in_rows.items)
    assert lists["model_version"].unique().to_list() == [before.version]
    assert lists["score"].is_between(0, 1).all()


def test_a_ranker_of_a_release_with_other_features_is_not_served(
    in_rows: TrainingFrames, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learned_from(lake, in_rows, now=NOON, trigger="manual").version
    with monkeypatch.context() as patched:
        other = {**FEATURES, "shoe_size": "of the user"}
        del other["category_clicks"]
        patched.setattr("feedback_platform.learning.ranker.FEATURES", other)
        then = NOON + timedelta(days=1)
        second = learned_from(lake, in_rows, now=then, trigger="manual").version
        used = champions.in_use(lake, RECOMMENDER)
        assert used.version is not None
        assert used.version.version == second.version

    used = champions.in_use(lake, RECOMMENDER)
    lists = refresh_recommendations(lake, in_rows.scores, in_rows.items)

    assert lists["model_version"].unique().to_list() == [first.version]
    assert used.warning is not None
    assert "trained with other features than this release computes" in used.warning
    assert "shoe_size" in used.warning
    with pytest.raises(ModelUnusableError, match=r"ranker\.npz is of no use to this release"):
        champions.promote(lake, RECOMMENDER, second.version, at=then, reason="by hand")


def test_what_users_are_only_guessed_to_know_is_not_listed_and_tells_the_ranker_nothing(
    in_rows: TrainingFrames, lake: Lake
) -> None:
    learned_from(lake, in_rows, now=NOON, trigger="manual")
    plain = refresh_recommendations(lake, in_rows.scores, in_rows.items, ["i005"])
    guesses = plain.filter(rank=1).select(
        "user_id",
        "item_id",
        feedback_score=pl.lit(0.9),
        confidence=pl.lit(0.2),
        last_feedback_at=in_rows.scores["last_feedback_at"].max(),
    )
    everything = pl.concat([in_rows.scores, guesses])

    lists = refresh_recommendations(
        lake, everything, in_rows.items, ["i005"], observed=in_rows.scores
    )

    assert "i005" not in lists["item_id"]
    assert lists.join(guesses, on=["user_id", "item_id"], how="semi").is_empty()
    champion = champions.champion(lake, RECOMMENDER)
    assert champion is not None
    model = read_recommender(lake, champion)

    def knowing(scores: pl.DataFrame) -> pl.DataFrame:
        known = history(scores, NO_ITEMS, model.item_ids)
        told: dict[str, Any] = {"model_version": champion.version, "unavailable": ["i005"]}
        return recommend(model, everything, NO_ITEMS, known=known, **told)

    assert lists.equals(knowing(in_rows.scores))
    assert not lists.equals(knowing(everything))


def test_after_a_rollback_the_lists_are_those_of_the_earlier_model(
    frames: TrainingFrames, lake: Lake
) -> None:
    first = learned_from(lake, frames, now=NOON, trigger="initial")
    before = refresh_recommendations(lake, frames.scores, frames.items)
    learned_from(lake, frames, now=NOON + timedelta(days=1), trigger="schedule")
    assert not refresh_recommendations(lake, frames.scores, frames.items).equals(before)

    champions.roll_back(lake, RECOMMENDER, at=NOON + timedelta(days=2), reason="complaints")

    assert refresh_recommendations(lake, frames.scores, frames.items).equals(before)
    assert before["model_version"].unique().to_list() == [first.version.version]


def test_lists_of_an_earlier_release_were_certain(frames: TrainingFrames, lake: Lake) -> None:
    learned_from(lake, frames, now=NOON, trigger="initial")
    lists = refresh_recommendations(lake, frames.scores, frames.items)
    buffer = io.BytesIO()
    lists.drop("propensity").write_parquet(buffer)
    lake.put(recommendations(), buffer.getvalue(), mode="overwrite")

    assert learned_tables(lake)["ml", "recommendations"].equals(lists)


def test_factorisations_of_earlier_releases_stay_in_the_lake_and_hinder_nothing(
    frames: TrainingFrames, lake: Lake
) -> None:
    earlier = registry.register(
        lake,
        "factorisation",
        files={"factorisation.npz": b"embeddings"},
        trained_at=NOON,
        trigger="schedule",
        metrics={"ndcg_at_10": 0.9},
        parameters={"components": 32},
    )
    champions.promote(lake, "factorisation", earlier.version, at=NOON, reason="better")

    first = learned_from(lake, frames, now=NOON + timedelta(days=1), trigger="initial")
    refresh_recommendations(lake, frames.scores, frames.items)

    # It is not what a recommender is compared with, and not in the tables.
    assert first.decision.is_promoted
    assert first.version.lineage.compared_with is None
    assert table(lake, "model_versions")["version"].to_list() == [first.version.version]
    assert champions.champion(lake, "factorisation") == earlier


def test_without_feedback_nothing_is_registered(frames: TrainingFrames, lake: Lake) -> None:
    none: dict[str, Any] = {
        name: frame.clear()
        for name, frame in vars(frames).items()
        if isinstance(frame, pl.DataFrame)
    }
    empty = replace(frames, **none)

    with pytest.raises(NothingToLearnError):
        learned_from(lake, empty, now=NOON, trigger="manual")
    with pytest.raises(NothingToLearnError):
        learn_segments(lake, AFFINITIES.clear(), USER_FEATURES.clear(), now=NOON, trigger="manual")

    assert lake.list_keys("models") == []


def test_without_a_champion_the_lists_are_empty(frames: TrainingFrames, lake: Lake) -> None:
    lists = refresh_recommendations(lake, frames.scores, frames.items)

    assert lists.schema == RECOMMENDATIONS_SCHEMA
    assert lists.is_empty()


def test_nobody_is_shown_again_what_they_are_only_guessed_to_know(
    frames: TrainingFrames, learned: Lake
) -> None:
    listed = refresh_recommendations(learned, frames.scores, frames.items).row(0, named=True)
    guess = frames.scores.head(1).with_columns(
        user_id=pl.lit(listed["user_id"]), item_id=pl.lit(listed["item_id"])
    )
    lists = refresh_recommendations(learned, pl.concat([frames.scores, guess]), frames.items)
    refresh_recommendations(learned, frames.scores, frames.items)

    assert lists.join(guess, on=["user_id", "item_id"], how="semi").is_empty()


def test_every_user_gets_a_list_of_the_champion(learned: Lake, frames: TrainingFrames) -> None:
    lists = table(learned, "recommendations")
    champion = champions.champion(learned, RECOMMENDER)

    assert champion is not None
    assert set(lists["user_id"]) == set(frames.scores["user_id"])
    assert lists["model_version"].unique().to_list() == [champion.version]


def test_the_lists_in_the_table_are_those_that_were_made(
    learned: Lake, frames: TrainingFrames
) -> None:
    assert table(learned, "recommendations").equals(
        refresh_recommendations(learned, frames.scores, frames.items)
    )


def test_every_user_with_a_taste_has_one_segment_and_every_segment_a_profile(
    learned: Lake,
) -> None:
    segments, profiles = table(learned, "user_segments"), table(learned, "segment_profiles")
    champion = champions.champion(learned, SEGMENTS)

    assert champion is not None
    assert sorted(segments["user_id"]) == sorted(AFFINITIES["user_id"].unique())
    sizes = segments.group_by("segment_id").len().sort("segment_id")
    assert profiles.sort("segment_id").select("segment_id", "users").rows() == sizes.rows()
    versions = {*segments["model_version"], *profiles["model_version"]}
    assert versions == {champion.version}


def test_the_history_keeps_every_segmentation_that_was_in_use(
    lake: Lake,
) -> None:
    first = learn_segments(lake, AFFINITIES, USER_FEATURES, now=NOON, trigger="initial")
    fewer = AFFINITIES.filter(pl.col("user_id") != AFFINITIES["user_id"][0])
    tomorrow = NOON + timedelta(days=1)
    second = learn_segments(lake, fewer, USER_FEATURES, now=tomorrow, trigger="schedule")

    history = table(lake, "segment_assignments")

    assert history.schema == HISTORY_SCHEMA
    users = AFFINITIES["user_id"].n_unique()
    assert sorted(history.group_by("model_version", "effective_from").len().rows()) == [
        (first.version.version, NOON, users),
        (second.version.version, tomorrow, users - 1),
    ]
    assert table(lake, "user_segments").height == users - 1

    champions.roll_back(lake, SEGMENTS, at=tomorrow, reason="one group too many")

    rolled_back = table(lake, "segment_assignments")
    assert rolled_back["model_version"].unique().to_list() == [first.version.version]
    assert table(lake, "user_segments").height == users


def test_the_table_of_versions_holds_both_models(learned: Lake) -> None:
    versions = table(learned, "model_versions")

    assert versions.select("model", "status").rows() == [
        (RECOMMENDER, "champion"),
        (SEGMENTS, "champion"),
    ]


def test_while_promotion_is_frozen_a_good_model_waits_and_says_why(
    learned: Lake, frames: TrainingFrames, tmp_path: Path
) -> None:
    shutil.copytree(Path(urlsplit(learned.url).path), tmp_path / "lake")
    lake = Lake((tmp_path / "lake").as_uri())
    later = NOON + timedelta(hours=1)
    freeze(lake, RECOMMENDER, Freeze("a1", NOON, NOON + timedelta(days=1), "dwell changed."))
    beside = replace(frames, beside={"feature_reference.json": b"{}"})

    held = learned_from(lake, beside, now=later, trigger="drift")

    assert not held.decision.is_promoted
    assert [each.name for each in held.decision.findings if not each.passed] == ["freeze"]
    assert held.decision.reason.endswith("dwell changed.")
    assert registry.read_file(lake, held.version, "feature_reference.json") == b"{}"

    unfreeze(lake, RECOMMENDER, at=later, reason="repaired")
    freed = learned_from(lake, beside, now=later + timedelta(hours=1), trigger="manual")
    assert freed.decision.is_promoted


def test_a_first_model_waits_for_no_freeze(lake: Lake, frames: TrainingFrames) -> None:
    freeze(lake, RECOMMENDER, Freeze("a1", NOON, NOON + timedelta(days=1), "dwell changed."))

    assert learned_from(lake, frames, now=NOON, trigger="initial").decision.is_promoted
