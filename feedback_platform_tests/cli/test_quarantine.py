from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.events.received import Format, opaque_line, opened_line
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAPPING = '[events."Film Starred"]\ntype = "item_rated"\nitem_id = "film"\nvalue = "stars"\n'


def starred(number: int, stars: Any = 4) -> bytes:
    message = {
        "type": "track",
        "event": "Film Starred",
        "messageId": f"m{number}",
        "userId": "u",
        "properties": {"film": "f", "stars": stars},
    }
    opening = opened_line(Format.SEGMENT, received_at="2026-03-01T12:30:00Z", source="web")
    return opening + json.dumps(message).encode() + b"}"


def lake_of(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "data" / "lake").as_uri())


def land(tmp_path: Path, *lines: bytes, number: int = 1) -> str:
    return write_raw_object(
        lake_of(tmp_path),
        received_at=NOON,
        source="collector-a1",
        sortable_id=f"{number:010d}",
        ndjson=b"\n".join(lines),
    )


def published(tmp_path: Path, sql: str) -> list[Any]:
    path = tmp_path / "data" / "published" / "feedback.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_an_empty_quarantine_says_so(run: Run) -> None:
    assert run("quarantine", "list").output == "0 in quarantine\n"
    assert parsed(run("quarantine", "list", "--json")) == {"total": 0, "reasons": {}, "events": []}
    replayed = parsed(run("quarantine", "replay", "--reason", "nonsense", "--json"))
    assert replayed["replayed"] == 0
    assert "nothing in quarantine is like that" in replayed["next"]


@pytest.mark.slow
def test_unmapped_events_come_in_by_a_mapping_and_a_replay_and_all_is_accounted_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = opaque_line(b"\x1b[2Jgone\xff", reason="undecodable_message", field=None)
    land(tmp_path, starred(1), starred(2), starred(3, stars=11), hostile)
    processed = parsed(run("process", "--json"))
    assert (processed["lines"], processed["interactions"], processed["quarantined"]) == (4, 0, 4)

    listed = run("quarantine", "list", "--limit", "2", "--source", "collector").output
    assert "2 shown" in listed
    assert "unmapped_event  event  collector/web  raw/events/dt=2026-03-01/hr=12/" in listed
    everything = parsed(run("quarantine", "list", "--json"))
    assert everything["reasons"] == {"undecodable_message": 1, "unmapped_event": 3}
    assert everything["events"][0]["raw"] == starred(3, stars=11).decode()
    assert everything["events"][-1]["raw"] == "\x1b[2Jgone\\xff"
    shown = run("quarantine", "list", "--reason", "undecodable_message").output
    assert "\\x1b[2Jgone\\xff" in shown
    assert "\x1b" not in shown

    (tmp_path / "mapping.toml").write_text(MAPPING)
    monkeypatch.setenv("FEEDBACK_EVENT_MAPPING", "mapping.toml")
    replayed = parsed(run("quarantine", "replay", "--reason", "unmapped_event", "--json"))
    assert replayed == {
        "replayed": 3,
        "now_clean": 2,
        "still_quarantined": 1,
        "duplicates": 0,
        "unreadable": 0,
        "raw_objects": 1,
        "batches": 1,
        "next": "feedback-platform process",
    }
    assert parsed(run("process", "--json"))["interactions"] == 2

    assert published(
        tmp_path, "select reason, events from metrics.quarantine_daily order by 1"
    ) == [("out_of_range", 1), ("undecodable_message", 1)]
    findings = {found["check"]: found for found in parsed(run("doctor", "--json"))}
    assert findings["events"]["ok"]
    assert findings["events"]["finding"].startswith("4 lines = 2 interactions + 2 quarantined")
    again = parsed(run("quarantine", "replay", "--json"))
    assert (again["replayed"], again["still_quarantined"], again["batches"]) == (2, 2, 0)
    assert again["next"] == "nothing changed"


def test_a_replay_tells_what_it_could_not_read_and_takes_the_rest(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = land(tmp_path, starred(1), starred(2))
    land(tmp_path, starred(3), starred(3), number=2)
    clean_new(lake_of(tmp_path), default_rules(), is_sweep=True)
    lake_of(tmp_path).delete([gone])
    (tmp_path / "mapping.toml").write_text(MAPPING)
    monkeypatch.setenv("FEEDBACK_EVENT_MAPPING", "mapping.toml")

    replayed = run("quarantine", "replay")

    assert replayed.code == 1
    printed = dict(re.split(" {2,}", line) for line in replayed.output.splitlines())
    assert printed["replayed"] == "4"
    assert (printed["now clean"], printed["still quarantined"]) == ("1", "0")
    assert (printed["duplicates"], printed["unreadable"]) == ("1", "2")
    (line,) = replayed.errors.splitlines()
    assert line.startswith("Error: Of 2 raw objects 1 could not be read again; ")
    assert "2 lines of it in quarantine" in line
    assert f"has no object '{gone}'" in line


def test_a_period_narrows_down_what_is_shown(run: Run, tmp_path: Path) -> None:
    land(tmp_path, starred(1))
    run("process", "--json")

    for arguments, total in (
        (("--day", "2026-03-01"), 1),
        (("--day", "2026-03-02"), 0),
        (("--from", "2026-02-27", "--to", "2026-03-01"), 1),
        (("--to", "2026-02-28"), 0),
    ):
        assert parsed(run("quarantine", "list", *arguments, "--json"))["total"] == total


def test_mistakes_are_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reversed_period = run("quarantine", "list", "--from", "2026-03-02", "--to", "2026-03-01")
    assert (reversed_period.code, reversed_period.errors) == (
        1,
        "Error: The period from 2026-03-02 to 2026-03-01 ends before it begins.\n",
    )
    assert run("quarantine", "list", "--day", "2026-03-02", "--to", "2026-03-03").code == 2

    (tmp_path / "mapping.toml").write_text(MAPPING.replace("item_rated", "item_rate"))
    monkeypatch.setenv("FEEDBACK_EVENT_MAPPING", "mapping.toml")
    for command in (("quarantine", "replay"), ("process",)):
        finished = run(*command)
        assert finished.code == 1
        (line,) = finished.errors.splitlines()
        assert "mapping.toml" in line
        assert "did you mean 'item_rated'?" in line
