from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback_platform.ingestion.importing import import_events
from feedback_platform.ingestion.movielens import read_movielens
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform_tests.installation import Installation

# In short: ingestion/test_movielens.py and learning/test_training.py.
pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def movielens(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = Installation(tmp_path_factory.mktemp("movielens") / "data")
    ratings = read_movielens(shared_data / "ml-latest-small")
    import_events(installation.lake, ratings, now=NOW)
    installation.process()
    return installation


def test_every_rating_becomes_explicit_feedback(movielens: Installation) -> None:
    given = movielens.query(
        "select signal, feedback_type, count(*) as rows, count(distinct user_id) as users "
        "from feedback.user_feedback group by all"
    )

    assert ("explicit", 100_836, 610) in given.select("feedback_type", "rows", "users").rows()


def test_the_recommender_beats_popularity_on_real_ratings(movielens: Installation) -> None:
    figures = movielens.train()["models/recommender"]

    ndcg, baseline = figures["ndcg_at_10"].value, figures["popularity_ndcg_at_10"].value
    assert isinstance(ndcg, float)
    assert isinstance(baseline, float)
    assert ndcg > baseline
    assert figures["promoted"].value is True


def test_importing_again_adds_nothing(movielens: Installation, shared_data: Path) -> None:
    before = list_raw_objects(movielens.lake)
    ratings = read_movielens(shared_data / "ml-latest-small")

    summary = import_events(movielens.lake, ratings, now=NOW.replace(year=2027))

    assert summary.was_imported_already
    assert list_raw_objects(movielens.lake) == before
