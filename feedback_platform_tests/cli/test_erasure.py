from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from feedback_platform.lake.store import Lake
from feedback_platform.privacy.requests import pending_requests
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.privacy.people import LEAVING, OWN_PHONE, land


def test_users_are_erased_with_a_proof_and_dagster_never_hears_who(
    run: Run, tmp_path: Path
) -> None:
    lake = Lake((tmp_path / "data" / "lake").as_uri())
    land(lake)
    (tmp_path / "who.txt").write_text(f"{LEAVING}\n\n")

    finished = run("erase", "--file", "who.txt")

    assert (finished.code, finished.errors) == (0, "")
    assert "1 users and 3 devices of theirs erased." in finished.output
    assert "rows removed" in finished.output
    assert LEAVING not in finished.output
    assert pending_requests(lake) == []
    (key,) = lake.list_keys("privacy/reports")
    assert json.loads(lake.get(key))["digest"] in finished.output
    for database in (tmp_path / "data" / "dagster").rglob("*.db"):
        with sqlite3.connect(database) as connection:
            content = "".join(connection.iterdump())
        assert LEAVING not in content
        assert OWN_PHONE not in content


def test_somebody_has_to_be_named_unless_a_request_is_pending(run: Run) -> None:
    finished = run("erase")

    assert finished.code == 1
    assert "Nobody is named whom to erase" in finished.errors


def test_a_file_that_cannot_be_read_erases_nobody(run: Run, tmp_path: Path) -> None:
    finished = run("erase", "ada", "--file", "missing.txt")

    assert finished.code == 1
    assert "missing.txt cannot be read" in finished.errors
    assert pending_requests(Lake((tmp_path / "data" / "lake").as_uri())) == []
