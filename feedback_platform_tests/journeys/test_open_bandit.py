from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback_platform.ingestion.importing import import_events
from feedback_platform.ingestion.open_bandit import read_open_bandit
from feedback_platform_tests.installation import Installation

# In short: ingestion/test_open_bandit.py and warehouse/test_layers.py.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bandit(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = Installation(tmp_path_factory.mktemp("bandit") / "data")
    logged = read_open_bandit(shared_data / "open-bandit-small")
    import_events(installation.lake, logged, now=datetime(2026, 1, 5, 12, tzinfo=UTC))
    installation.process()
    return installation


# The clicks are the sums of the column `click` in the files' own men.csv.
@pytest.mark.parametrize(("policy", "clicks"), [("random", 46), ("bts", 69)])
def test_clicks_and_impressions_are_those_of_the_published_data(
    bandit: Installation, policy: str, clicks: int
) -> None:
    (counted,) = bandit.query(
        "select sum(impressions)::bigint as impressions, sum(clicks)::bigint as clicks "
        f"from metrics.engagement_daily where placement = 'men/{policy}'"
    ).rows()

    assert counted == (10_000, clicks)
