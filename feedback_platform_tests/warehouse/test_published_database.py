"""What the published database says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.warehouse.published import open_published
from feedback_platform_tests.serving.published_users import publish_users


def test_when_it_was_published_is_utc_wherever_the_machine_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    path = tmp_path / "feedback.duckdb"
    publish_users(path)

    with open_published(path) as connection:
        rows = connection.execute("select published_at from published.state").fetchall()

    ((published_at,),) = rows
    now = datetime.now(UTC).replace(tzinfo=None)
    assert now - timedelta(minutes=5) < published_at <= now + timedelta(minutes=5)
