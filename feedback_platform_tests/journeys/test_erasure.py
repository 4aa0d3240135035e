"""Users leave every layer, nothing brings them back, and everybody else stays as they were."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.ingestion.events_file import read_events
from feedback_platform.ingestion.importing import import_events
from feedback_platform.lake import keys
from feedback_platform.monitoring.accounting import account
from feedback_platform.monitoring.measured_tables import MEASURED
from feedback_platform.orchestration import jobs
from feedback_platform.privacy.others import Others
from feedback_platform.privacy.proof import Scan
from feedback_platform.privacy.reports import read_report
from feedback_platform.privacy.requests import file_request, pending_requests
from feedback_platform.privacy.traces import Traces
from feedback_platform_tests.installation import Installation, differences
from feedback_platform_tests.privacy.people import (
    HANDED_OVER,
    LEAVING,
    OWN_PHONE,
    STAYING,
    THEIR_TABLET,
    land,
    without_users,
)

# In short: privacy/test_erased_platform.py.
pytestmark = pytest.mark.slow

USERS, DAYS = 150, 10
# What learning made of everybody, and what drift saw in everybody's clicks.
LEARNED = {
    "ml.model_versions",
    "ml.recommendations",
    "ml.segment_profiles",
    "ml.user_segments",
    "metrics.drift_events",
    "metrics.feature_drift",
    # Sums over everybody, which the next night counts anew.
    *(f"metrics.{name}" for name in MEASURED),
}


class Erased:
    """An installation before and after an erasure, and one in which the users never were."""

    def __init__(self, directory: Path) -> None:
        self.before = Installation(directory / "before")
        self.before.simulate(users=USERS, days=DAYS)
        land(self.before.lake)
        self.before.process()
        self.before.train(trigger="initial")
        self.simulated = self._simulated()
        self.never = Installation(directory / "never")
        self._copy_raw_without_users()
        self.never.process()
        self.after = self.before.copy_to(directory / "after")
        self.request = file_request(
            self.after.lake, [*self.simulated, LEAVING], now=datetime.now(UTC)
        )
        self.outcome = self.after.run(jobs.ERASE)

    @property
    def users(self) -> list[str]:
        return [*self.simulated, LEAVING]

    def _simulated(self) -> list[str]:
        """Some who have feedback and anonymous events of their own device, where there are any."""
        rows = self.before.query(
            "select distinct user_id from ml.recommendations "
            "where user_id not like 'person%' order by user_id limit 8"
        )
        return rows["user_id"].to_list()

    def _copy_raw_without_users(self) -> None:
        # The models as well: days are seen by the segments of their time.
        for name in ("raw", "reference", "models"):
            shutil.copytree(
                self.before.settings.data_dir / "lake" / name,
                self.never.settings.data_dir / "lake" / name,
            )
        lake = self.never.lake
        lake.delete([key for key in lake.list_keys("raw") if "people" in key])
        land(lake, with_who_leaves=False)
        without_users(lake, self.simulated)


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Erased:
    return Erased(tmp_path_factory.mktemp("erasure"))


def test_everybody_else_is_as_if_the_users_had_never_been(erased: Erased) -> None:
    left, never = _not_learned(erased.after), _not_learned(erased.never)

    assert differences(left, never) == []
    assert erased.after.query(f"from interaction.users where user_id = '{STAYING}'").height == 1


def test_what_was_learned_of_others_stays_and_of_them_goes(erased: Erased) -> None:
    for table in ("ml.recommendations", "ml.user_segments"):
        others = erased.before.query(f"from {table} order by all").filter(
            ~pl.col("user_id").is_in([*erased.users, f"anonymous:{OWN_PHONE}"])
        )

        assert erased.after.query(f"from {table} order by all").equals(others), table
    versions = erased.after.query("select model, version, status from ml.model_versions order by 1")
    assert versions.equals(
        erased.before.query("select model, version, status from ml.model_versions order by 1")
    )


def test_no_byte_of_them_is_left_anywhere(erased: Erased) -> None:
    names = [*erased.users, OWN_PHONE, HANDED_OVER]
    # The very same look, before: it does find them, in every layer.
    before = _places(erased.before, names)
    assert {place.split("/")[0] for place in before} >= {
        "lake: raw",
        "lake: clean",
        "lake: quarantine",
        "lake: models",
        "published",
        "warehouse",
    }

    assert _places(erased.after, names) == {}


def test_the_report_says_what_was_done_and_names_nobody(erased: Erased) -> None:
    report = read_report(erased.after.lake, erased.request.request_id)

    assert report is not None
    assert pending_requests(erased.after.lake) == []
    assert (report["users"], report["devices"]) == (9, 3)
    # The tablet is used by who stays, too.
    assert (report["shared"], report["traces"]) == (1, 0)
    removed = {layer["layer"]: layer["removed"] for layer in report["layers"]}
    assert removed["raw"] > removed["clean"] > removed["quarantine"] > 0
    assert removed["models"] > len(erased.simulated)
    text = json.dumps(report)
    assert not any(name in text for name in [*erased.users, OWN_PHONE, THEIR_TABLET])


def test_what_was_received_is_still_accounted_for(erased: Erased) -> None:
    before = account(erased.before.lake, through=100)
    after = account(erased.after.lake, through=100)

    assert after.received == before.received
    assert after.erased > 0
    assert erased.after.checks()["every_event_is_accounted_for"].passed


def test_nothing_brings_them_back(erased: Erased, tmp_path: Path) -> None:
    again = erased.after.copy_to(tmp_path / "again")
    # The same events from a file, under a name that nobody has imported, and landed once more.
    lines = [
        {"event_id": f"new-{n}", "event_type": "item_liked", "user_id": user, "item_id": "film"}
        for n, user in enumerate([*erased.users, STAYING])
    ]
    for line in lines:
        line["occurred_at"] = "2026-01-09T09:00:00Z"
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_events(again.lake, read_events(path), now=datetime.now(UTC))
    land(again.lake, name="people2")
    again.process()
    reprocess(again.lake, default_rules(), first=date(2026, 1, 5), last=date(2026, 1, 20))
    again.run(jobs.REPLAY)
    again.settings.warehouse_path.unlink()
    again.process()
    again.train()

    tables = again.tables()

    for name, table in tables.items():
        if "user_id" in table.columns:
            assert not set(table["user_id"]) & set(erased.users), name
    assert again.checks()["every_event_is_accounted_for"].passed
    # Raw holds what was sent late, until the next sweep.
    assert any(LEAVING in place for place in [_raw_text(again)])
    again.run(jobs.ERASE)
    assert _places(again, [*erased.users, OWN_PHONE, HANDED_OVER]) == {}


def test_who_comes_back_is_taken_as_somebody_new(erased: Erased, tmp_path: Path) -> None:
    again = erased.after.copy_to(tmp_path / "again")
    now = datetime.now(UTC)
    line = {
        "event_id": "hello-again",
        "event_type": "item_liked",
        "user_id": LEAVING,
        "item_id": "film",
        "occurred_at": now.isoformat(),
        "received_at": now.isoformat(),
    }
    key = keys.raw_object(now, "web", "again")
    again.lake.put(key, _packed(line), mode="create")
    again.process()

    found = again.query(f"select event_id from interaction.interactions where user_id='{LEAVING}'")

    assert found["event_id"].to_list() == ["hello-again"]


def test_a_hundred_of_ten_thousand_users_leave_and_nobody_comes_back(tmp_path: Path) -> None:
    """A tenth of the target; benchmarks/erasure.py has the whole."""
    installation = Installation(tmp_path / "data")
    installation.simulate(users=10_000, days=1)
    installation.process()
    users = installation.query("select user_id from interaction.users order by 1")["user_id"]
    leaving = users.gather_every(max(1, len(users) // 100))[:100].to_list()
    before = installation.query("from interaction.interactions order by all")
    request = file_request(installation.lake, leaving, now=datetime.now(UTC))

    installation.run(jobs.ERASE)

    report = read_report(installation.lake, request.request_id)
    assert report is not None
    assert (report["users"], report["traces"]) == (100, 0)
    day = date(2026, 1, 5)
    reprocess(installation.lake, default_rules(), first=day, last=date(2026, 1, 20))
    installation.settings.warehouse_path.unlink()
    installation.process()
    left = installation.query("from interaction.interactions order by all")
    computed = ["batch_sequence"]
    is_leaving = pl.col("user_id").is_in(leaving).fill_null(value=False)
    others = before.filter(~is_leaving)
    assert left.drop(computed).equals(others.drop(computed))


def _not_learned(installation: Installation) -> dict[str, pl.DataFrame]:
    tables = installation.tables()
    return {name: table for name, table in tables.items() if name not in LEARNED}


def _places(installation: Installation, names: list[str]) -> dict[str, int]:
    """Where the ids are; the device that somebody else uses, too, is none of them."""
    scan = Scan(Others(frozenset(), Traces(names)))
    scan.lake(installation.lake, unswept=[])
    scan.directory(installation.settings.data_dir, without=installation.lake.directory)
    return scan.places


def _raw_text(installation: Installation) -> str:
    from feedback_platform.lake.raw import read_raw_object

    raw = installation.lake.list_keys(keys.RAW)
    return "".join(read_raw_object(installation.lake, key).decode() for key in raw)


def _packed(line: dict[str, Any]) -> bytes:
    import zstandard

    return zstandard.compress(json.dumps(line).encode() + b"\n")
