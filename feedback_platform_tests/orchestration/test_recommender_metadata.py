from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning.inner_splits import choose_inner_cuts
from feedback_platform.learning.learned_tables import (
    RegisteredRecommender,
    TrainingFrames,
    learn_recommender,
)
from feedback_platform.learning.sources import Source, item_ease, popularity
from feedback_platform.learning.training_data import choose_cut
from feedback_platform.orchestration.recommender_metadata import recommender_metadata
from feedback_platform_tests.learning.few_sources import FEW_SOURCES
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, two_tastes
from feedback_platform_tests.learning.ranker_frames import chains


def learned_from(
    lake: Lake, scores: pl.DataFrame, sources: tuple[Source, ...]
) -> RegisteredRecommender:
    times = scores["last_feedback_at"]
    cut = choose_cut(times)
    frames = TrainingFrames(
        scores=scores,
        scores_at_cut=scores.filter(times <= cut),
        cut=cut,
        scores_at_inner_cuts={
            inner: scores.filter(times <= inner) for inner in choose_inner_cuts(times, cut)
        },
        items=NO_ITEMS,
        items_at_cut=NO_ITEMS,
        users=NO_USERS,
        users_at_cut=NO_USERS,
    )
    now = datetime(2026, 3, 1, tzinfo=UTC)
    return learn_recommender(lake, frames, now=now, trigger="manual", sources=sources)


def test_the_ui_shows_what_the_ranker_asks_for(tmp_path: Path) -> None:
    learned = learned_from(Lake(tmp_path.as_uri()), chains(), (item_ease(20), popularity()))

    metadata = recommender_metadata(learned)

    ranker, table = learned.trained.model.ranker, metadata["ranker"]
    assert ranker is not None
    assert isinstance(table, dg.TableMetadataValue)
    shown = pl.DataFrame([record.data for record in table.records])
    assert shown["splits"].sum() == int((ranker.trees.leaves - 1).sum())
    assert shown["splits"].is_sorted(descending=True)
    # Users take things in rows.
    assert shown["feature"][0] == "follows"
    assert "shortly after the user's last items" in shown["says"][0]
    assert metadata["ranker_rate"] == learned.trained.metrics["ranker_rate"]


def test_the_ui_shows_each_source_with_its_weight_and_what_it_is_worth_alone(
    tmp_path: Path,
) -> None:
    learned = learned_from(Lake(tmp_path.as_uri()), two_tastes(), FEW_SOURCES)

    metadata = recommender_metadata(learned)

    selection, table = learned.trained.selection, metadata["sources"]
    assert isinstance(table, dg.TableMetadataValue)
    shown = pl.DataFrame([record.data for record in table.records])
    alone = dict(shown.select("source", "inner nDCG alone").iter_rows())
    assert alone == pytest.approx(selection.alone, abs=5e-5)
    assert shown["inner nDCG alone"].is_sorted(descending=True)
    weights = dict(shown.filter(pl.col("weight") > 0).select("source", "weight").iter_rows())
    assert weights == pytest.approx(selection.weights, abs=5e-3)
    assert metadata["ndcg_at_10"] == learned.trained.metrics["ndcg_at_10"]
    # Nothing here has a category, so there is no diversity to show.
    assert learned.trained.metrics["diversity_at_10"] is None
    assert "diversity_at_10" not in metadata
