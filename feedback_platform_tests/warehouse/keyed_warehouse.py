"""A table with a key, published without dbt."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from feedback_platform.warehouse.keyed_tables import view_of
from feedback_platform.warehouse.published_files import PublishedTable
from feedback_platform_tests.warehouse.lone_table import LoneTable

SCORES = PublishedTable("feedback", "feedback_scores", key=("user_id", "item_id"))

Key = tuple[str, str]
KEYS: list[Key] = [(f"u{user}", f"i{item}") for user in range(4) for item in range(6)]


class KeyedWarehouse(LoneTable):
    """A table of scores and what changes in it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, SCORES)
        self.connection.execute(
            "create table interaction.changes "
            "(user_id varchar, item_id varchar, is_leaving boolean, batch_sequence bigint)"
        )
        self.connection.execute(
            "create table feedback.feedback_scores (user_id varchar, item_id varchar, "
            "score double, shares map(varchar, double), said json, batch_sequence bigint)"
        )

    def change(self, written: Collection[Key], gone: Collection[Key] = ()) -> None:
        """A batch that computes the rows of some keys anew, and leaves none of others."""
        self.batch += 1
        for key in {*written, *gone}:
            self.connection.execute(
                "delete from feedback.feedback_scores where (user_id, item_id) = (?, ?)", key
            )
            self.connection.execute(
                "insert into interaction.changes values (?, ?, ?, ?)",
                [*key, key in gone, self.batch],
            )
        for key in set(written) - set(gone):
            self.connection.execute(
                "insert into feedback.feedback_scores values "
                "($1, $2, $3, map(['a'], [$3 / 2]), json_object('batch', $3), $3)",
                [*key, self.batch],
            )

    def seen(self) -> duckdb.DuckDBPyRelation:
        """What a reader sees, who has nothing but the files."""
        relation = duckdb.sql(view_of(SCORES, [self.directory / file.name for file in self.files]))
        assert relation is not None
        return relation

    def stored(self) -> duckdb.DuckDBPyRelation:
        return self.connection.sql(
            "select * exclude (batch_sequence) from feedback.feedback_scores"
        )

    def is_published(self) -> bool:
        """Whether readers see the table, row for row and column for column."""
        seen, stored = self.seen(), self.stored()
        return (seen.columns, seen.types, sorted(seen.fetchall(), key=repr)) == (
            stored.columns,
            stored.types,
            sorted(stored.fetchall(), key=repr),
        )
