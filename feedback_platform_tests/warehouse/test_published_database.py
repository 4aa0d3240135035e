"""What the published database says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from feedback_platform.warehouse.published import open_published, query
from feedback_platform.warehouse.published_database import PublishedState, write_database
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable
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


ITEMS = PublishedTable("interaction", "items")
ADJUSTMENTS = PublishedTable("metrics", "adjustments")
MACRO = {
    "interaction.items_of": "macro interaction.items_of(wanted) as table "
    "select * from interaction.items where name = wanted"
}


class Published:
    """Databases over Parquet files of one column, each built on the one before."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "feedback.duckdb"
        self.through = 0

    def show(self, names: dict[PublishedTable, str], macros: dict[str, str] | None = None) -> None:
        """Have each table hold one row, with this name."""
        self.through += 1
        files = []
        for table, name in names.items():
            file = f"{table.name}-{name}.parquet"
            pl.DataFrame({"name": [name]}).write_parquet(self.directory / file)
            files.append(PublishedFile(table.qualified, "whole", file, 1))
        rows = {file.table: file.rows for file in files}
        staged, state = self.directory / "staged", PublishedState(self.through, files)
        write_database(
            staged, self.directory, list(names), state, rows, macros or {}, base=self.path
        )
        staged.replace(self.path)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return query(self.path, sql).rows()


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


def test_what_changes_is_seen_and_what_does_not_stays(published: Published) -> None:
    published.show({ITEMS: "a", ADJUSTMENTS: "one"}, MACRO)
    published.show({ITEMS: "b", ADJUSTMENTS: "one"}, MACRO)

    assert published.rows("from interaction.items") == [("b",)]
    assert published.rows("from interaction.items_of('b')") == [("b",)]
    assert published.rows("from interaction.items_of('a')") == []
    assert published.rows("from metrics.adjustments") == [("one",)]
    assert published.rows("select through from published.state") == [(2,)]
    assert published.rows('select "table", name from published.files order by 1') == [
        ("interaction.items", "items-b.parquet"),
        ("metrics.adjustments", "adjustments-one.parquet"),
    ]


def test_a_table_or_a_macro_that_is_no_more_is_not_found_any_more(published: Published) -> None:
    published.show({ITEMS: "a", ADJUSTMENTS: "one"}, MACRO)
    published.show({ITEMS: "a"})

    found = published.rows("select view_name from duckdb_views() where not internal")
    assert found == [("items",)]
    with pytest.raises(duckdb.CatalogException):
        published.rows("from interaction.items_of('a')")


def test_a_macro_with_other_content_takes_the_place_of_the_old_one(published: Published) -> None:
    published.show({ITEMS: "a"}, MACRO)
    published.show({ITEMS: "a"}, {name: f"{text} or true" for name, text in MACRO.items()})

    assert published.rows("from interaction.items_of('b')") == [("a",)]


def test_what_is_damaged_is_built_anew(published: Published) -> None:
    published.show({ITEMS: "a"}, MACRO)
    published.path.write_bytes(b"no database")

    published.show({ITEMS: "b"}, MACRO)

    assert published.rows("from interaction.items_of('b')") == [("b",)]


def test_it_does_not_grow_with_the_states_that_went_before(published: Published) -> None:
    for number in range(5):
        published.show({ITEMS: str(number)}, MACRO)
    size = published.path.stat().st_size
    for number in range(5, 40):
        published.show({ITEMS: str(number)}, MACRO)

    assert published.path.stat().st_size <= 2 * size
