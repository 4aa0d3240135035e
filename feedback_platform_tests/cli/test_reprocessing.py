from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cli.conftest import Run

LINE = (
    b'{"format":"segment","received_at":"2026-03-0%dT12:30:00Z","message":{"type":"track",'
    b'"messageId":"m%d","userId":"u","event":"Film Starred",'
    b'"properties":{"film":"f","stars":4}}}'
)
MAPPING = '[events."Film Starred"]\ntype = "item_rated"\nitem_id = "film"\nvalue = "stars"\n'


def land(tmp_path: Path, day: int) -> None:
    write_raw_object(
        Lake((tmp_path / "data" / "lake").as_uri()),
        received_at=datetime(2026, 3, day, 12, tzinfo=UTC),
        source="collector-a1",
        sortable_id="0000000001",
        ndjson=LINE % (day, day),
    )


@pytest.mark.slow
def test_a_corrected_mapping_reaches_a_past_period(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2, 3):
        land(tmp_path, day)
    assert json.loads(run("process", "--json").output)["interactions"] == 0
    (tmp_path / "mapping.toml").write_text(MAPPING)
    monkeypatch.setenv("FEEDBACK_EVENT_MAPPING", "mapping.toml")

    finished = run("reprocess", "--from", "2026-03-02", "--to", "2026-03-09", "--json")

    assert (finished.code, finished.errors) == (0, "")
    outcome = json.loads(finished.output)
    reference = outcome.pop("reference")
    assert reference != "none"
    assert outcome == {
        "days": 2,
        "raw_objects": 2,
        "lines": 2,
        "clean": 2,
        "quarantined": 0,
        "duplicates": 0,
        "erased": 0,
        "batches": 2,
        "next": "feedback-platform process",
    }
    assert json.loads(run("process", "--json").output)["interactions"] == 2
    path = str(tmp_path / "data" / "published" / "feedback.duckdb")
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute("select event_id from interaction.interactions order by 1")
        assert rows.fetchall() == [("m2",), ("m3",)]


def test_mistakes_are_one_line(run: Run) -> None:
    reversed_period = run("reprocess", "--from", "2026-03-02", "--to", "2026-03-01")
    assert (reversed_period.code, reversed_period.errors) == (
        1,
        "Error: The period from 2026-03-02 to 2026-03-01 ends before it begins.\n",
    )
    empty = run("reprocess", "--from", "2026-03-02")
    assert (empty.code, empty.errors.count("\n")) == (1, 1)
    assert "from 2026-03-02 to 2026-03-02 is clean yet" in empty.errors
    assert run("reprocess").code == 2
    assert run("reprocess", "--from", "yesterday").code == 2
