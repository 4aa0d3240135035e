from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.assets.cleaning import clean_events
from feedback_platform_tests.installation import Installation

LINE = (
    b'{"format":"segment","received_at":"2026-03-01T12:30:00Z","message":{"type":"track",'
    b'"messageId":"%s","userId":"u","event":"%s","properties":{"product_id":"p"}}}'
)


def land(installation: Installation, *lines: bytes) -> str:
    return write_raw_object(
        installation.lake,
        received_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        source="collector-a1",
        sortable_id="0000000001",
        ndjson=b"\n".join(lines),
    )


def corrected(installation: Installation) -> Installation:
    """The installation with a mapping that knows an event which lies in quarantine."""
    mapping = installation.settings.data_dir / "mapping.toml"
    mapping.write_text('[events."Film Watched"]\ntype = "item_used"\nitem_id = "product_id"\n')
    known = Installation(installation.settings.data_dir)
    known.settings = replace(known.settings, event_mapping=mapping)
    return known


def clean(installation: Installation, **config: str) -> None:
    """Execute the step alone."""
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            [clean_events],
            resources={"platform": installation.platform},
            run_config={"ops": {"clean_events": {"config": config}}},
            instance=instance,
        )


def test_the_job_takes_all_of_the_quarantine_through_to_the_published_tables(
    tmp_path: Path,
) -> None:
    installation = Installation(tmp_path / "data")
    land(installation, LINE % (b"m1", b"Product Viewed"), LINE % (b"m2", b"Film Watched"))
    installation.process()
    assert installation.query("select event_id from interaction.interactions").rows() == [("m1",)]

    seen = corrected(installation).run(jobs.REPLAY)

    assert seen["clean/events"]["clean"].value == 2
    assert seen["quarantine/events"]["quarantined"].value == 0
    types = installation.query(
        "select event_id, event_type from interaction.interactions order by 1"
    )
    assert types.rows() == [("m1", "item_viewed"), ("m2", "item_used")]
    assert installation.query("select count(*) from metrics.quarantine_daily").item() == 0


def test_whatever_narrows_a_replay_down_asks_for_one(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    land(installation, LINE % (b"m1", b"Film Watched"))
    clean_new(installation.lake, default_rules(), is_sweep=True)
    known = corrected(installation)

    for config, batches in (
        ({"replay_source": "firehose"}, 1),
        ({"replay_to": "2026-02-28"}, 1),
        ({"replay_reason": "unmapped_event", "replay_from": "2026-03-01"}, 2),
    ):
        clean(known, **config)
        assert len(manifests_after(installation.lake, 0)) == batches
