"""What dbt sends to a new warehouse, and to one that is there: rendered once, sent many times.

The statements follow from the project and from which tables there are, not from the rows in them.
The product keeps those of an increment in each installation (`warehouse/increments.py`); here they
are kept for all the small installations of a process, and those of the first build, too. DuckDB
runs every one of them, each time. Whoever tests dbt's own part asks for `rendered_by_dbt`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import duckdb
import pytest

from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.connection import open_warehouse, single_row, transaction
from feedback_platform.warehouse.transformation import DbtProject, NodeResult

RENDERED: Final = DbtProject.run
# What is more than a question, or the bound of a transaction, begins with none of these.
_ASIDE: Final = ("select", "describe", "begin", "commit")
# Schemas are created before any node, and belong to none.
_NO_NODE: Final = ""


@dataclass(frozen=True)
class SentNode:
    """What dbt sent for a model or a seed.

    Attributes:
        statements: all of them, questions and the bounds of its transaction included.
        result: what became of it; there is none for what belongs to no node.
    """

    statements: list[str]
    result: NodeResult | None = None

    @property
    def changes(self) -> list[str]:
        """What is to be sent again, in one transaction."""
        bare = [each for each in self.statements if not _bare(each).startswith(_ASIDE)]
        # dbt tells of a seed with an ellipsis for rows, though it is DuckDB that reads the file.
        return [each.rstrip().removesuffix("...") for each in bare]


@contextmanager
def statements_sent_again() -> Iterator[None]:
    """Let dbt render a run of all models once in this process, for each kind of warehouse."""
    kept: dict[tuple[str, bool], list[SentNode]] = {}

    def run(
        project: DbtProject,
        models: Sequence[str] | None = None,
        *,
        on_result: Callable[[NodeResult], None] | None = None,
        on_statement: Callable[[str, str], None] | None = None,
    ) -> list[NodeResult]:
        is_usual = models is None and project.engine == "duckdb"
        if not is_usual or project.project_dir != DBT_PROJECT_DIR:
            return RENDERED(project, models, on_result=on_result, on_statement=on_statement)
        kind = (project.warehouse_path.stem, _is_new(project))
        nodes = kept.get(kind)
        if nodes is not None:
            # Where one fails, dbt says what is wrong.
            with suppress(duckdb.Error):
                return _told(_sent(project, nodes), on_result, on_statement)
        sent: defaultdict[str, list[str]] = defaultdict(list)
        results = RENDERED(project, on_statement=lambda node, text: sent[node].append(text))
        ended = [SentNode(sent[result.unique_id], result) for result in results]
        kept.setdefault(kind, [SentNode(sent[_NO_NODE]), *ended])
        return _told(ended, on_result, on_statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbtProject, "run", run)
        yield


def _is_new(project: DbtProject) -> bool:
    question = "select count(*) from duckdb_tables() where table_name = 'incoming'"
    with open_warehouse(project.warehouse_path) as connection:
        return single_row(connection, question) == (0,)


def _sent(project: DbtProject, nodes: Sequence[SentNode]) -> list[SentNode]:
    """Send what was kept; return the nodes with the time that each took."""
    found = []
    with open_warehouse(project.warehouse_path) as connection:
        for node in nodes:
            began = time.perf_counter()
            with transaction(connection):
                for statement in node.changes:
                    connection.execute(statement)
            if node.result is not None:
                seconds = time.perf_counter() - began
                found.append(replace(node, result=replace(node.result, seconds=seconds)))
    return found


def _told(
    nodes: Sequence[SentNode],
    on_result: Callable[[NodeResult], None] | None,
    on_statement: Callable[[str, str], None] | None,
) -> list[NodeResult]:
    """Tell of everything that was sent, as dbt does meanwhile."""
    results = []
    for node in nodes:
        assert node.result is not None
        if on_statement is not None:
            for statement in node.statements:
                on_statement(node.result.unique_id, statement)
        if on_result is not None:
            on_result(node.result)
        results.append(node.result)
    return results


def _bare(statement: str) -> str:
    """Return a statement in lower case, without the comment by which dbt says whose it is."""
    return (statement.partition("*/")[2] or statement).strip().lower()
