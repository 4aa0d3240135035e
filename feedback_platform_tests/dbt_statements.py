"""What dbt sends, rendered once for each kind of warehouse, and sent many times.

The statements follow from the project and from which tables there are, not from the rows in them.
The product keeps those of an increment in each installation (`warehouse/increments.py`); here they
are kept for all the small installations of a process, and those of the first build, too. DuckDB
runs every one of them, each time, in one of the orders that dbt may choose. Whoever tests dbt's own
part asks for `rendered_by_dbt`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import duckdb
import pytest

from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.connection import open_warehouse, transaction
from feedback_platform.warehouse.increments import without_comment
from feedback_platform.warehouse.transformation import DbtProject, NodeResult

run_by_dbt: Final = DbtProject.run
# What is more than a question, or the bound of a transaction, begins with none of these.
_ASIDE: Final = ("select", "describe", "begin", "commit")
# Schemas are created before any node, and belong to none.
_NO_NODE: Final = ""


@dataclass(frozen=True)
class RenderedNode:
    """What dbt sent for a model or a seed, questions and the bounds of its transaction included."""

    statements: list[str]
    result: NodeResult


@dataclass(frozen=True)
class RenderedRun:
    """What dbt sent in a run of the whole project.

    Attributes:
        schemas: what creates them.
        nodes: each after those it depends on.
    """

    schemas: list[str]
    nodes: list[RenderedNode]


@contextmanager
def statements_sent_again() -> Iterator[None]:
    """Let dbt render a run of all models once in this process, for each kind of warehouse."""
    kept: dict[tuple[str, frozenset[str]], RenderedRun] = {}

    def run(
        project: DbtProject,
        models: Sequence[str] | None = None,
        *,
        on_result: Callable[[NodeResult], None] | None = None,
        on_statement: Callable[[str, str], None] | None = None,
    ) -> list[NodeResult]:
        is_usual = models is None and project.engine == "duckdb"
        if not is_usual or project.project_dir != DBT_PROJECT_DIR:
            return run_by_dbt(project, models, on_result=on_result, on_statement=on_statement)
        nodes, failure = None, None
        with open_warehouse(project.warehouse_path) as connection:
            kind = (project.warehouse_path.stem, _tables(connection))
            if kind in kept:
                try:
                    nodes = _sent(connection, kept[kind])
                except duckdb.Error as error:
                    failure = error
        if nodes is not None:
            return _told(nodes, on_result, on_statement)
        sent: defaultdict[str, list[str]] = defaultdict(list)

        def note(unique_id: str, statement: str) -> None:
            sent[unique_id].append(statement)
            if on_statement is not None:
                on_statement(unique_id, statement)

        results = run_by_dbt(project, on_result=on_result, on_statement=note)
        assert failure is None, f"dbt did what its statements, sent again, could not: {failure}"
        schemas = sent.pop(_NO_NODE)
        ended = [RenderedNode(sent.pop(result.unique_id, []), result) for result in results]
        assert not sent, f"Statements of {sorted(sent)} would not be sent again."
        kept[kind] = RenderedRun(schemas, ended)
        return results

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbtProject, "run", run)
        yield


def _tables(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    rows = connection.execute("select schema_name || '.' || table_name from duckdb_tables()")
    return frozenset(name for (name,) in rows.fetchall())


def _sent(connection: duckdb.DuckDBPyConnection, rendered: RenderedRun) -> list[RenderedNode]:
    """Send what was rendered; return the nodes with the time that each took."""
    found = []
    _send(connection, rendered.schemas)
    for node in rendered.nodes:
        began = time.perf_counter()
        _send(connection, node.statements)
        seconds = time.perf_counter() - began
        found.append(replace(node, result=replace(node.result, seconds=seconds)))
    return found


def _send(connection: duckdb.DuckDBPyConnection, statements: Sequence[str]) -> None:
    """Send what changes something, in one transaction."""
    with transaction(connection):
        for statement in statements:
            if not without_comment(statement).startswith(_ASIDE):
                # dbt tells of a seed with an ellipsis for rows, though DuckDB reads the file.
                connection.execute(statement.rstrip().removesuffix("..."))


def _told(
    nodes: Sequence[RenderedNode],
    on_result: Callable[[NodeResult], None] | None,
    on_statement: Callable[[str, str], None] | None,
) -> list[NodeResult]:
    """Tell of everything that was sent; dbt does so meanwhile."""
    for node in nodes:
        if on_statement is not None:
            for statement in node.statements:
                on_statement(node.result.unique_id, statement)
        if on_result is not None:
            on_result(node.result)
    return [node.result for node in nodes]
