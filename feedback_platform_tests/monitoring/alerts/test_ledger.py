from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.alerts.book import Kind, what_changed
from feedback_platform.monitoring.alerts.ledger import (
    ALERTS_SCHEMA,
    AlertLedger,
    alerts_table,
    read_alerts,
)
from feedback_platform_tests.monitoring.alerts.found import DRIFT, FAILED, NOON


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def test_two_who_find_the_same_at_once_raise_one_alert(lake: Lake) -> None:
    first, second = AlertLedger(lake), AlertLedger(lake)

    first.write(lambda book: what_changed(book, [FAILED], list(Kind), NOON))
    second.write(lambda book: what_changed(book, [FAILED, DRIFT], list(Kind), NOON))

    assert [each.condition for each in read_alerts(lake).standing] == [FAILED, DRIFT]
    assert read_alerts(lake) == second.book


def test_the_kept_book_spares_the_reader_the_entries_before_it(lake: Lake) -> None:
    ledger = AlertLedger(lake)
    ledger.write(lambda book: what_changed(book, [FAILED, DRIFT], list(Kind), NOON))
    ledger.keep_book()
    lake.delete(lake.list_keys(keys.alert_entries()))

    assert read_alerts(lake) == ledger.book
    AlertLedger(lake).write(lambda book: what_changed(book, [DRIFT], list(Kind), NOON))
    assert [each.condition for each in read_alerts(lake).standing] == [DRIFT]


def test_the_table_has_a_row_for_each_alert(lake: Lake) -> None:
    ledger = AlertLedger(lake)
    assert alerts_table(ledger.book).schema == ALERTS_SCHEMA

    ledger.write(lambda book: what_changed(book, [FAILED], list(Kind), NOON))

    (row,) = alerts_table(ledger.book).to_dicts()
    assert (row["kind"], row["subject"], row["severity"]) == ("run_failure", "process", "error")
    assert (row["raised_at"], row["resolved_at"]) == (NOON, None)
