"""Alternating least squares on Spark: the same solution and evaluation as on one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.als import AlsParameters, fit_als
from feedback_platform.learning.evaluation import difference, evaluate
from feedback_platform.learning.factorisation import Factorisation
from feedback_platform.learning.popularity import fit_popularity
from feedback_platform.learning.preferences import preferences
from feedback_platform.learning.sources import TrainingInput, source_of, spark_als
from feedback_platform.learning.spark_als import SparkAlsParameters, fit_spark_als
from feedback_platform.learning.training_data import (
    ITEMS_SCHEMA,
    USERS_SCHEMA,
    split_per_user,
)
from feedback_platform.spark_session import SparkUnavailableError, spark_session
from feedback_platform_tests.learning.movielens import movielens_frames
from feedback_platform_tests.services.local_spark import SHORT_LIVED, local_spark

SOME = SparkAlsParameters(components=4, regularisation=0.2, confidence=3, iterations=6, blocks=2)


@pytest.fixture(scope="module")
def spark(service_dir: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment:
        # What Java compiles so needs more of a stack, see below.
        java = {"spark__driver__extraJavaOptions": SHORT_LIVED}
        for name, value in local_spark(service_dir / "spark als", **java).items():
            environment.setenv(name, value)
        session = spark_session()
        yield session
        session.stop()


def of_spark(spark: Any, scores: pl.DataFrame) -> Any:
    return spark.createDataFrame(scores.to_arrow())


def some_scores(users: int = 30, items: int = 12) -> pl.DataFrame:
    """Everybody likes a few items; the first half likes other ones than the second."""
    chance = np.random.default_rng(5)
    user, item = (cells.ravel() for cells in np.meshgrid(range(users), range(items)))
    is_alike = (user < users / 2) == (item < items / 2)
    kept = chance.random(len(user)) < np.where(is_alike, 0.8, 0.1)
    return pl.DataFrame(
        {
            "user_id": [f"u{number:02d}" for number in user[kept]],
            "item_id": [f"i{number:02d}" for number in item[kept]],
            "feedback_score": chance.choice([0.25, 0.5, 0.75, 1.0], int(kept.sum())),
            "confidence": chance.uniform(0.1, 0.9, int(kept.sum())),
            "last_feedback_at": [datetime(2026, 1, 1, tzinfo=UTC)] * int(kept.sum()),
        },
        schema_overrides={"last_feedback_at": pl.Datetime("us", "UTC")},
    )


def test_the_users_are_the_least_squares_solution_for_the_items(spark: Any) -> None:
    scores = some_scores()
    model = fit_spark_als(of_spark(spark, scores), parameters=SOME, seed=1)

    known = preferences(scores)
    assert model.user_ids == known.user_ids
    assert model.item_ids == known.item_ids
    items = model.item_embeddings.astype(np.float64)
    for row, cells in enumerate(known.weights.toarray().astype(np.float64)):
        # Ridge regression as ordinary least squares with rows for the penalty.
        root = np.sqrt(1 + SOME.confidence * cells)
        penalty = np.sqrt(SOME.regularisation * np.count_nonzero(cells)) * np.eye(SOME.components)
        design = np.vstack([items * root[:, None], penalty])
        target = np.concatenate([root * (cells > 0), np.zeros(SOME.components)])
        expected = np.linalg.lstsq(design, target, rcond=None)[0]
        assert model.user_embeddings[row] == pytest.approx(expected, abs=1e-4)


def test_popularity_and_the_catalogue_are_those_of_one_machine(spark: Any) -> None:
    scores = some_scores()
    model = fit_spark_als(of_spark(spark, scores), ["new", "i00"], parameters=SOME, seed=1)
    alone = fit_als(preferences(scores, ["new"]), parameters=AlsParameters(components=2), seed=1)

    assert model.item_ids == alone.item_ids
    assert model.item_popularity == pytest.approx(alone.item_popularity, rel=1e-5)
    assert not model.item_embeddings[model.item_rows["new"]].any()
    assert Factorisation.from_bytes(model.to_bytes()).user_ids == model.user_ids


@pytest.mark.usefixtures("spark")
def test_it_is_a_candidate_source_like_others() -> None:
    scores = some_scores()
    items = pl.DataFrame(
        {"item_id": ["new"], "title": [None], "categories": [[]]}, schema=ITEMS_SCHEMA
    )
    data = TrainingInput(scores, items, pl.DataFrame(schema=USERS_SCHEMA), 0.5)
    source = source_of(spark_als(4, 0.2, 3).description)

    assert source == spark_als(4, 0.2, 3)
    assert source.fit(data, 1).item_ids == data.preferences.item_ids


def test_many_iterations_do_not_outgrow_a_stack(spark: Any, tmp_path: Path) -> None:
    many = replace(SOME, iterations=40, blocks=1)
    elsewhere = tmp_path / "fünf & 20 %"
    elsewhere.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(elsewhere))
        model = fit_spark_als(of_spark(spark, some_scores()), parameters=many, seed=1)

    assert np.abs(model.user_embeddings).max() > 0
    assert [*tmp_path.rglob("*")] == [elsewhere], "checkpoints were left behind"


def test_a_cluster_without_a_directory_for_checkpoints_is_refused(
    spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = of_spark(spark, some_scores())
    monkeypatch.setattr(spark.sparkContext, "master", "spark://elsewhere:7077")
    with pytest.raises(SparkUnavailableError, match=r"name one .* by spark\.checkpoint\.dir"):
        fit_spark_als(scores, parameters=SOME, seed=1)


def test_without_a_positive_score_there_is_nothing_to_learn(spark: Any) -> None:
    disliked = some_scores().with_columns(pl.lit(0.1).alias("feedback_score"))
    with pytest.raises(NothingToLearnError, match=r"0\.5 or better"):
        fit_spark_als(of_spark(spark, disliked), parameters=SOME, seed=1)


@pytest.mark.parametrize("name", ["components", "regularisation", "blocks"])
def test_a_parameter_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} cannot be 0"):
        SparkAlsParameters(**{name: 0})


def test_on_real_ratings_it_is_as_good_as_on_one_machine(spark: Any, shared_data: Path) -> None:
    scores, _ = movielens_frames(shared_data)
    split = split_per_user(scores)
    known = preferences(split.train)
    model = fit_spark_als(
        of_spark(spark, split.train), parameters=SparkAlsParameters(components=32), seed=1
    )
    alone = fit_als(known, parameters=AlsParameters(components=32), seed=1)

    found, expected = (evaluate(each, split) for each in (model, alone))
    popular = evaluate(fit_popularity(split.train, item_ids=known.item_ids), split)
    assert difference(found, popular, "ndcg", seed=1).low > 0
    assert found.mean("ndcg") > 0.9 * expected.mean("ndcg")
