from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from feedback_platform.lake.raw import write_raw_object
from feedback_platform.orchestration.assets.learning import segments
from feedback_platform_tests.installation import Installation


def test_a_product_without_categories_has_no_segments_and_goes_on(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    liked = b'{"event_id":"e%d","event_type":"item_liked","user_id":"u%d","item_id":"i%d"}\n'
    write_raw_object(
        installation.lake,
        received_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        source="web",
        sortable_id="1",
        ndjson=b"".join(liked % (number, number % 7, number % 5) for number in range(35)),
    )
    installation.process()

    done = dg.materialize([segments], resources={"platform": installation.platform})

    (made,) = done.asset_materializations_for_node("models__segments")
    assert "nothing to segment" in str(made.metadata["reason"].value)
    assert installation.lake.list_keys("models/segments") == []
