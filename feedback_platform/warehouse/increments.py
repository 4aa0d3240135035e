"""Bringing staged batches into every table; by dbt, or by what dbt sent the last time.

An increment is the same statements each time, as long as definitions and versions are: it is the
tables themselves that say what is new. Rendering, comparing and looking relations up again is more
than half of a small micro-batch. So the first increment of a set of definitions is run by dbt,
which tells each statement as it sends it, and those that follow send the same ones themselves.
Where one of them fails, dbt runs the increment, and says what is wrong: running a model twice
changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb

from feedback_platform.warehouse.connection import open_warehouse, transaction
from feedback_platform.warehouse.loading import StagedBatches, complete
from feedback_platform.warehouse.transformation import DbtProject, NodeResult

_LISTEN_SECONDS: Final = 0.5
_INTERRUPT_SECONDS: Final = 0.05
_VERSIONS: Final = ("dbt-core", "dbt-adapters", "dbt-duckdb", "duckdb")
_logger: Final = logging.getLogger("feedback_platform.increments")


@dataclass(frozen=True)
class SentNode:
    """What an increment of one model is. Of a seed it is nothing: it belongs to the definitions.

    Attributes:
        unique_id: dbt's name of it.
        name: its short name.
        kind: model or seed.
        statements: in their order, for one transaction.
    """

    unique_id: str
    name: str
    kind: str
    statements: list[str]


@dataclass
class Recording:
    """What dbt sends while it runs, told from two threads at once.

    Attributes:
        sent: each statement, by the node that it belongs to.
        ended: the nodes, in an order in which each comes after those it depends on.
    """

    sent: dict[str, list[str]] = field(default_factory=dict)
    ended: list[NodeResult] = field(default_factory=list)

    def note_statement(self, unique_id: str, statement: str) -> None:
        """Take down what is about to be sent."""
        self.sent.setdefault(unique_id, []).append(statement)

    def note_result(self, result: NodeResult) -> None:
        """Take down that a node has ended."""
        self.ended.append(result)

    def increment(self) -> list[SentNode] | None:
        """Return what to send the next time, or None where that cannot be known.

        Of what lies outside a model's transaction only look-ups are left out.
        """
        found = []
        for node in self.ended:
            sent = self.sent.get(node.unique_id, [])
            inside = _transaction_in(sent) if node.kind == "model" else []
            if inside is None:
                return None
            found.append(SentNode(node.unique_id, node.name, node.kind, inside))
        return found or None


def build_tables(project: DbtProject, staged: StagedBatches, definitions: str) -> list[NodeResult]:
    """Bring the staged batches into every table, and record that they are.

    Args:
        project: bound to the warehouse, which the caller holds.
        staged: what `stage_batches` put in front of it.
        definitions: the project's fingerprint.

    Raises:
        TransformationError: a model failed; those after it were not run.
    """
    path = project.warehouse_path
    kept = project.target_dir / f"increment-{_key(project, definitions)}.json"
    if staged.is_rebuild:
        results = project.run()
    else:
        if (sent := _sent_again(path, kept, staged.through)) is not None:
            return sent
        results = _recorded(project, kept)
    with open_warehouse(path) as connection:
        complete(connection, staged.through)
    return results


def _sent_again(path: Path, kept: Path, through: int) -> list[NodeResult] | None:
    """Send what was kept; return None where that is nothing, or failed."""
    try:
        nodes = [SentNode(**each) for each in json.loads(kept.read_bytes())]
    except (OSError, ValueError, TypeError):
        return None
    if not nodes:
        return None
    with open_warehouse(path) as connection:
        try:
            results = _interruptible(connection, nodes)
        except duckdb.Error as error:
            _logger.warning("dbt runs this increment anew: %s", " ".join(str(error).split()))
            return None
        complete(connection, through)
    return results


def _interruptible(
    connection: duckdb.DuckDBPyConnection, nodes: list[SentNode]
) -> list[NodeResult]:
    """Run nodes in a thread: DuckDB hears an interrupt of the main one after its statement only."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: [_run(connection, node) for node in nodes])
        try:
            # A signal that another thread was given is seen when this one wakes up.
            while not wait([running], timeout=_LISTEN_SECONDS).done:
                pass
            return running.result()
        except BaseException:
            # Said once, it would be lost between two statements, and all the others still be sent.
            while not running.done():
                connection.interrupt()
                wait([running], timeout=_INTERRUPT_SECONDS)
            raise


def _run(connection: duckdb.DuckDBPyConnection, node: SentNode) -> NodeResult:
    began = time.perf_counter()
    if node.statements:
        with transaction(connection):
            for statement in node.statements:
                connection.execute(statement)
    seconds = time.perf_counter() - began
    status = "success" if node.statements else "skipped"
    return NodeResult(node.unique_id, node.name, node.kind, status, seconds, 0, "")


def _recorded(project: DbtProject, kept: Path) -> list[NodeResult]:
    """Have dbt run an increment, and keep what it sent."""
    recording = Recording()
    results = project.run(on_result=recording.note_result, on_statement=recording.note_statement)
    nodes = recording.increment()
    # What is kept saves time, and no more: where there is no room for it, the tables are there.
    with suppress(OSError):
        for former in kept.parent.glob("*increment-*.json*"):
            former.unlink(missing_ok=True)
        if nodes is not None:
            beside = kept.with_name(f".{kept.name}.{uuid4().hex}")
            beside.write_text(json.dumps([asdict(node) for node in nodes]), encoding="utf-8")
            beside.replace(kept)
    return results


def without_comment(statement: str) -> str:
    """Return a statement in lower case, without the comment by which dbt says whose it is."""
    return statement.partition("*/")[2].strip().lower() or statement.strip().lower()


def _transaction_in(statements: list[str]) -> list[str] | None:
    """Return what lies between BEGIN and COMMIT; None unless there is one pair, beside look-ups."""
    bare = [without_comment(statement) for statement in statements]
    if bare.count("begin") != 1 or bare.count("commit") != 1:
        return None
    begin, commit = bare.index("begin"), bare.index("commit")
    outside = [*bare[:begin], *bare[commit + 1 :]]
    if commit < begin or not all(each.startswith("select") for each in outside):
        return None
    return statements[begin + 1 : commit]


def _key(project: DbtProject, definitions: str) -> str:
    """Return what tells one set of statements from another.

    They name the database, and come from what dbt has parsed: a file may have changed since.
    """
    parsed = [
        (name, node["config"], node.get("checksum"))
        for name, node in sorted(project.manifest["nodes"].items())
        if node["resource_type"] in {"model", "seed"}
    ]
    macros = [
        (name, macro["macro_sql"])
        for name, macro in sorted(project.manifest["macros"].items())
        if macro["package_name"] == project.manifest["metadata"]["project_name"]
    ]
    versions = [version(name) for name in _VERSIONS]
    parts = [definitions, project.warehouse_path.stem, versions, parsed, macros]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
