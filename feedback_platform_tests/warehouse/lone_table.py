"""One table and what changes in it: enough to publish it without dbt."""

from __future__ import annotations

from pathlib import Path

import duckdb

from feedback_platform.warehouse.exporting import export
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable


class LoneTable:
    """A warehouse with one table; each change to it is a batch that `changes` names."""

    def __init__(self, directory: Path, table: PublishedTable) -> None:
        self.directory = directory
        self.connection = duckdb.connect()
        self.files: list[PublishedFile] = []
        self.batch = 0
        self._table = table
        self._published = 0
        for schema in {"interaction", table.schema}:
            self.connection.execute(f"create schema {schema}")

    def publish(self) -> list[PublishedFile]:
        """Publish; return the files that are new."""
        before = set(self.files)
        self.files = export(
            self.connection,
            self._table,
            self.directory,
            self.files,
            since=self._published,
            through=self.batch,
        )
        self._published = self.batch
        return [file for file in self.files if file not in before]
