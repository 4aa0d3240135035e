from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from feedback_platform.errors import NothingPublishedError
from feedback_platform.warehouse import published

THROUGH = "select through from published.state"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feedback.duckdb"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that were run."""
    queries: list[str] = []
    query = published.query

    def noted(path: Path, sql: str, parameters: list[Any] | None = None) -> Any:
        queries.append(sql)
        return query(path, sql, parameters)

    monkeypatch.setattr(published, "query", noted)
    return queries


def publish(path: Path, through: int) -> None:
    """Put a small published database into its place, as a publication does."""
    staged = path.with_name("staged")
    with duckdb.connect(staged) as connection:
        connection.execute("create schema published")
        connection.execute("create table published.state as select ?::bigint as through", [through])
    staged.replace(path)


def test_a_query_is_run_once_for_each_state(path: Path, asked: list[str]) -> None:
    publish(path, 1)
    first = [published.query_once(path, THROUGH)["through"].item() for _ in range(3)]
    publish(path, 2)
    second = [published.query_once(path, THROUGH)["through"].item() for _ in range(3)]

    assert (first, second) == ([1, 1, 1], [2, 2, 2])
    assert asked == [THROUGH, THROUGH]


def test_how_far_readers_are_follows_what_is_published(path: Path) -> None:
    seen = [published.published_through(path)]
    for through in (4, 5):
        publish(path, through)
        seen += [published.published_through(path), published.published_through(path)]
    path.unlink()

    assert [*seen, published.published_through(path)] == [0, 4, 4, 5, 5, 0]


def test_nothing_is_remembered_where_nothing_is_published(path: Path) -> None:
    with pytest.raises(NothingPublishedError):
        published.query_once(path, THROUGH)
    publish(path, 3)

    assert published.query_once(path, THROUGH)["through"].item() == 3
