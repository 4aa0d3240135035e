from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from feedback_platform.lake.raw import write_raw_object
from feedback_platform.orchestration import jobs
from feedback_platform_tests.installation import Installation

LINE = (
    b'{"format":"segment","received_at":"2026-03-01T12:30:00Z","message":{"type":"track",'
    b'"messageId":"%s","userId":"u","event":"%s","properties":{"product_id":"p"}}}'
)


def test_the_job_takes_quarantined_events_through_to_the_published_tables(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    write_raw_object(
        installation.lake,
        received_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        source="collector-a1",
        sortable_id="0000000001",
        ndjson=b"\n".join([LINE % (b"m1", b"Product Viewed"), LINE % (b"m2", b"Film Watched")]),
    )
    installation.process()
    assert installation.query("select event_id from interaction.interactions").rows() == [("m1",)]
    corrected = Installation(tmp_path / "data")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[events."Film Watched"]\ntype = "item_used"\nitem_id = "product_id"\n')
    corrected.settings = replace(corrected.settings, event_mapping=mapping)
    config = {"replay": True, "replay_reason": "unmapped_event", "replay_from": "2026-03-01"}

    seen = corrected.run(jobs.REPLAY, {"ops": {"clean_events": {"config": config}}})

    assert seen["clean/events"]["clean"].value == 2
    assert seen["quarantine/events"]["quarantined"].value == 0
    types = installation.query(
        "select event_id, event_type from interaction.interactions order by 1"
    )
    assert types.rows() == [("m1", "item_viewed"), ("m2", "item_used")]
    assert installation.query("select count(*) from metrics.quarantine_daily").item() == 0
