from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.errors import NothingPublishedError
from feedback_platform.privacy.preferences import PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry
from feedback_platform.warehouse.published_events import published_event_ids
from feedback_platform_tests.serving.published_users import publish_users

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_those_are_found_that_readers_can_see(tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"
    off = PreferencesChange(personalisation=False)
    publish_users(path, said=[PreferencesEntry(name, NOON, "ada", off) for name in ("a", "b")])
    # By a clock that is a little off, in another zone, and far away.
    asked = {
        "a": NOON.astimezone() + timedelta(minutes=30),
        "c": NOON - timedelta(days=3),
        "x' or true or event_id = 'b": NOON,
    }

    assert published_event_ids(path, asked) == {"a"}
    assert published_event_ids(path, {"a": NOON + timedelta(hours=2)}) == frozenset()


def test_before_the_first_publication_there_is_nothing_to_ask(tmp_path: Path) -> None:
    assert published_event_ids(tmp_path / "feedback.duckdb", {}) == frozenset()
    with pytest.raises(NothingPublishedError):
        published_event_ids(tmp_path / "feedback.duckdb", {"a": NOON})
